"""The message that the parts of a long MO make. Pure: no AWS."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

from chalicelib import charsets
from chalicelib.charsets import Written
from chalicelib.records import MoEvent
from chalicelib.text import clean


def whole(pieces: Mapping[int, MoEvent], total: int) -> MoEvent:
    """The event of the whole message, of at least one of its parts by their sequence; it is the first part's with what
    all of them say.

    An SMSC may have cut anywhere: what two parts that follow each other say is read as one. Of a character whose other
    half is missing U+FFFD is left, or nothing. Octets are joined as they are; the header is that of the first part.
    """
    parts = [pieces[sequence] for sequence in sorted(pieces)]
    first = parts[0]
    text, sure = "", True
    for run in _runs(pieces):
        said, certain = _read(run, total)
        text, sure = text + said, sure and certain
    passed = (not sure or any(part.udh for part in parts)) and all(part.charset for part in parts)
    octets = base64.b64encode(b"".join(map(_octets, parts))).decode("ascii") if passed else ""
    return first.model_copy(
        update={
            "message": first.message.model_copy(update={"text": clean(text)}),
            "piece": None,
            "charset": "",
            "octets": octets,
            "data_coding": first.data_coding if passed else None,
        }
    )


def _octets(part: MoEvent) -> bytes:
    return base64.b64decode(part.octets)


def _runs(pieces: Mapping[int, MoEvent]) -> Iterator[list[MoEvent]]:
    """Parts that follow each other and are written alike. Those without octets are texts already, each by itself."""
    run: list[MoEvent] = []
    last = 0
    for sequence in sorted(pieces):
        part = pieces[sequence]
        if run and not (sequence == last + 1 and part.charset and _kind(part) == _kind(run[-1])):
            yield run
            run = []
        run.append(part)
        last = sequence
    yield run


def _kind(part: MoEvent) -> str:
    return Written(b"", part.charset).kind


def _read(run: list[MoEvent], total: int) -> tuple[str, bool]:
    """The text of a run, and whether it is certain."""
    if not run[0].charset:
        return run[0].message.text, not run[0].octets
    written = [Written(_octets(part), part.charset) for part in run]
    return charsets.join(written) if len(run) == total else charsets.fragment(written)
