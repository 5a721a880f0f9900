"""What came where a protocol was expected: a hint for whoever has the wrong port, or the right one without TLS."""

from __future__ import annotations

_ALERT = b"\x15\x03"  # TLS: content type and major version of an alert


def hint(octets: bytes, protocol: str) -> str:
    """To be put behind a reason: "" where the octets, the first that came, tell nothing."""
    first = octets[:4]
    if first.startswith(_ALERT):
        return ", a TLS alert: is it tls: true that is missing?"
    if len(first) == 4 and all(0x20 < one < 0x7F for one in first):
        return f", the letters {first.decode()}: is this {protocol} port?"
    return ""
