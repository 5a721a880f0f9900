"""HTTP/1.1 as AWS's services speak it: a POST as octets, and the answer out of what a connection gives. No I/O.

Rule: RFC 9112. The standard library's reader of headers, made for mail, is a third of what a call costs.
"""

from __future__ import annotations

from typing import Final

from chalicelib.awsapi.calls import Answer, Damaged

_LONGEST_HEAD: Final = 65_536  # octets
_READ: Final = ("content-length", "transfer-encoding", "connection", "x-amz-crc32", "x-amzn-query-error")  # headers


def post(headers: dict[str, str], body: bytes) -> bytes:
    """A POST to `/`; `headers` have no line breaks in them."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST / HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body


class Reader:
    """One answer. `feed` it what arrives until it says that this is all.

    Raises:
        Damaged: this is no HTTP, or it has ended too soon.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._body_at = 0  # where the body begins; 0: the head is not whole yet
        self._length: int | None = None  # of the body; None: in chunks, or to the end of the connection
        self._chunks: bytearray | None = None
        self._next = 0  # where the next chunk begins
        self._status = 0
        self._headers: dict[str, str] = {}
        self.kept = False  # whether the connection serves another call

    def feed(self, data: bytes) -> bool:
        """Whether the answer is whole."""
        self._data += data
        if not self._body_at and not self._head():
            return False
        if self._chunks is not None:
            return self._chunk(self._chunks)
        return self._length is not None and len(self._data) >= self._body_at + self._length

    def end(self) -> bool:
        """The connection has ended: so has the answer, unless it was to be longer."""
        if not self._body_at or self._length is not None or self._chunks is not None:
            raise Damaged("the connection was closed before the answer was whole")
        self.kept = False
        return True

    @property
    def answer(self) -> Answer:
        """Once it is whole."""
        if self._chunks is not None:
            return Answer(self._status, self._headers, bytes(self._chunks))
        end = len(self._data) if self._length is None else self._body_at + self._length
        return Answer(self._status, self._headers, bytes(self._data[self._body_at : end]))

    def _head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > _LONGEST_HEAD:
                raise Damaged("the answer's head does not end")
            return False
        head = self._data[: end + 2].decode("latin-1")
        version, _, rest = head.partition(" ")
        try:
            self._status = int(rest[:3])
        except ValueError:
            raise Damaged("the answer is not HTTP") from None
        if 100 <= self._status < 200:
            del self._data[: end + 4]
            return bool(self._data) and self._head()
        lower = head.lower()  # as long as `head`: Latin-1
        for name in _READ:
            at = lower.find(f"\r\n{name}:")
            if at >= 0:
                self._headers[name] = head[at + len(name) + 3 : head.find("\r\n", at + 2)].strip()
        self._body_at = self._next = end + 4
        self.kept = version == "HTTP/1.1" and self._headers.get("connection", "").lower() != "close"
        if self._headers.get("transfer-encoding", "").lower() == "chunked":
            self._chunks = bytearray()
        elif self._status in (204, 304):
            self._length = 0
        else:
            length = self._headers.get("content-length")
            if length is not None and not length.isdecimal():
                raise Damaged("the answer's Content-Length is no number")
            self._length = None if length is None else int(length)
        return True

    def _chunk(self, chunks: bytearray) -> bool:
        while True:
            line = self._data.find(b"\r\n", self._next)
            if line < 0:
                return False
            try:
                size = int(self._data[self._next : line].partition(b";")[0], 16)
            except ValueError:
                raise Damaged("a chunk of the answer has no size") from None
            end = line + 2 + size
            if size == 0:  # trailers end with an empty line
                return self._data.find(b"\r\n\r\n", line) >= 0
            if len(self._data) < end + 2:
                return False
            chunks += self._data[line + 2 : end]
            self._next = end + 2
