"""Known frames -> frames that are nearly right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

# Where programs miscount: around powers of two, signs and ends.
_EDGES: Final = (0x00, 0x01, 0x02, 0x03, 0x09, 0x0D, 0x1B, 0x2F, 0x3A, 0x7F, 0x80, 0xFE, 0xFF)
_SIZES: Final = (*(10, 140, 255, 256, 300) * 3, 70_000)  # octets put in; the last is above every limit


class Mutator:
    """Changes to frames, drawn from `random`.

    Args:
        frames: known ones, as the specifications have them.
        tokens: octets that mean something in this protocol, to put into places where they should not be.
        mend: makes length and checksum of a damaged frame right again, so that more than these is tried.
    """

    def __init__(
        self, random: Random, frames: Sequence[bytes], tokens: Sequence[bytes], mend: Callable[[bytes], bytes]
    ) -> None:
        self._random, self._frames, self._tokens, self._mend = random, frames, tokens, mend
        self._changes = (self._flip, self._edge, self._cut, self._repeat, self._token, self._splice, self._grow)

    def frame(self, mended: float = 0.8) -> bytes:
        """A known frame, most often changed in one to five places; then so many of 1 are mended."""
        return self.changed(self._random.choice(self._frames), mended)

    def changed(self, frame: bytes, mended: float = 0.8) -> bytes:
        """As `frame`, of this one."""
        if self._random.random() < 0.1:
            return frame
        for _ in range(self._random.choice((1, 1, 1, 2, 2, 3, 5))):
            frame = self._random.choice(self._changes)(frame)
        return self._mend(frame) if self._random.random() < mended else frame

    def pieces(self, data: bytes) -> list[bytes]:
        """The same octets, cut anywhere, as a network may."""
        cuts = sorted(self._random.randrange(len(data) + 1) for _ in range(self._random.choice((0, 0, 1, 2, 7))))
        return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    def _place(self, frame: bytes) -> int:
        return self._random.randrange(len(frame) + 1)

    def _flip(self, frame: bytes) -> bytes:
        if not frame:
            return frame
        at = self._random.randrange(len(frame))
        return frame[:at] + bytes((frame[at] ^ 1 << self._random.randrange(8),)) + frame[at + 1 :]

    def _edge(self, frame: bytes) -> bytes:
        at = self._place(frame)
        return frame[:at] + bytes((self._random.choice(_EDGES),)) + frame[at + 1 :]

    def _cut(self, frame: bytes) -> bytes:
        begin, end = sorted((self._place(frame), self._place(frame)))
        return frame[:begin] + frame[end:]

    def _repeat(self, frame: bytes) -> bytes:
        begin, end = sorted((self._place(frame), self._place(frame)))
        return frame[:end] + frame[begin:end] * self._random.choice((1, 1, 2, 20)) + frame[end:]

    def _token(self, frame: bytes) -> bytes:
        at = self._place(frame)
        return frame[:at] + self._random.choice(self._tokens) + frame[at + self._random.randrange(3) :]

    def _splice(self, frame: bytes) -> bytes:
        other = self._random.choice(self._frames)
        return frame[: self._place(frame)] + other[self._place(other) :]

    def _grow(self, frame: bytes) -> bytes:
        at = self._place(frame)
        count = self._random.choice(_SIZES)
        same = self._random.random() < 0.5
        octets = bytes((self._random.randrange(256),)) * count if same else self._random.randbytes(count)
        return frame[:at] + octets + frame[at:]
