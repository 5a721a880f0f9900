"""Frames as a capture file, for programs that dissect them."""

from __future__ import annotations

import struct
from collections.abc import Iterable


def captured(frames: Iterable[bytes], port: int) -> bytes:
    """A capture of IP packets (link type 101), each a segment of one TCP connection to `port` with one frame."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 101)]
    sequence = 1
    for frame in frames:
        tcp = struct.pack(">HHIIBBHHH", 40_000, port, sequence, 1, 0x50, 0x18, 0xFFFF, 0, 0)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(frame), 0, 0, 64, 6, 0, b"\x7f\0\0\1", b"\x7f\0\0\2")
        packet = ip + tcp + frame
        out += (struct.pack("<IIII", 0, 0, len(packet), len(packet)), packet)
        sequence += len(frame)
    return b"".join(out)
