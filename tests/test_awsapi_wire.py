"""HTTP as the lean AWS calls read it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.awsapi import wire
from chalicelib.awsapi.calls import Damaged

WHOLE = [
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Amzn: a: b \r\n\r\n{}", 200, b"{}", True, id="length"),
    pytest.param(b"HTTP/1.1 400 Bad\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", 400, b"", False, id="close"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n{\r\n\r\n1\r\n}\r\n0\r\nTrail: er\r\n\r\n",
        200, b"{\r\n}", True, id="chunks",
    ),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", 204, b"", True, id="continue"),
    pytest.param(b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n1", 200, b"1", False, id="http-1.0"),
]  # fmt: skip


@pytest.mark.parametrize(("octets", "status", "body", "kept"), WHOLE)
def test_an_answer_is_read_however_it_is_cut(octets: bytes, status: int, body: bytes, kept: bool) -> None:
    for at in range(len(octets)):
        reader = wire.Reader()
        assert not (at and reader.feed(octets[:at]))
        assert reader.feed(octets[at:])
        assert (reader.answer.status, reader.answer.body, reader.kept) == (status, body, kept)
    reader = wire.Reader()
    assert [reader.feed(octets[at : at + 1]) for at in range(len(octets))] == [False] * (len(octets) - 1) + [True]


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    reader = wire.Reader()
    assert not reader.feed(b"HTTP/1.1 200 OK\r\n\r\n{")
    assert not reader.feed(b"}")
    assert reader.end()
    assert (reader.answer.body, reader.kept) == (b"{}", False)


@pytest.mark.parametrize("octets", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}"])
def test_an_answer_that_is_cut_is_damaged(octets: bytes) -> None:
    reader = wire.Reader()
    reader.feed(octets)
    with pytest.raises(Damaged):
        reader.end()


@given(st.binary(max_size=80), st.sampled_from((b"", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")))
def test_any_octets_are_an_answer_or_damaged(octets: bytes, head: bytes) -> None:
    reader = wire.Reader()
    try:
        if not reader.feed(head + octets):
            reader.end()
    except Damaged:
        return
    assert isinstance(reader.answer.status, int)
