"""The parts of a long MO: text whatever an SMSC has cut, and octets as they are."""

from __future__ import annotations

import base64
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import gsm7, gsm7_national, parts
from chalicelib.charsets import gsm7_by
from chalicelib.gsm7_national import Shift
from chalicelib.messages import Incoming
from chalicelib.records import MoEvent, Piece

TURKISH = Shift(single=1, locking=1)
URDU = Shift(single=13, locking=13)


def part(octets: bytes, charset: str, sequence: int, total: int, **fields: Any) -> MoEvent:
    message = Incoming(channel="c", sender="+250788123123", text=fields.pop("text", "?"))
    piece = Piece(reference=1, total=total, sequence=sequence)
    encoded = base64.b64encode(octets).decode()
    return MoEvent(event_id=f"{sequence}", message=message, piece=piece, octets=encoded, charset=charset,
                   **{"data_coding": 0, **fields})  # fmt: skip


def joined(charset: str, *pieces: bytes | None, **fields: Any) -> MoEvent:
    """Of these octets by their sequence; None has not come."""
    total = len(pieces)
    there = {n: part(octets, charset, n, total, **fields) for n, octets in enumerate(pieces, 1) if octets is not None}
    return parts.whole(there, total)


def text(charset: str, *pieces: bytes | None) -> str:
    return joined(charset, *pieces).message.text


# --- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "pieces", "expected"),
    [
        pytest.param("utf-16-be", ["0048d83d", "de000049"], "H😀I", id="a surrogate pair"),
        pytest.param("utf-16-be", ["004800", "490021"], "HI!", id="half a UTF-16 unit"),
        pytest.param("utf-16-be", ["0048d8", "3dde", "000049"], "H😀I", id="a pair in three"),
        pytest.param("utf-16-le", ["48003dd8", "00de4900"], "H😀I", id="little-endian"),
        pytest.param("utf-16-be", ["fffe48003dd8", "00de4900"], "H😀I", id="a byte order mark for all"),
        pytest.param("utf-16-be", ["feff0048", "feff0049"], "HI", id="a byte order mark in each"),
        pytest.param("utf-16-be", ["fe", "ff00480049"], "HI", id="a byte order mark that is cut"),
        pytest.param("utf-16-be", ["00480000", "", "0049"], "HI", id="a NUL is no text"),
        pytest.param("utf-16-be", ["004800", "004900"], "HI", id="a stray octet behind each part"),
        pytest.param("utf-16-be", ["043f00", "044000"], "пр", id="a stray octet behind each part of Cyrillic"),
        pytest.param("gsm7", ["481b", "6549"], "H€I", id="an escape pair"),
        pytest.param("gsm7", ["481b1b", "6549"], "H eI", id="two escapes are a pair"),
        pytest.param("gsm7", ["481b", "", "6549"], "H€I", id="an escape and an empty part"),
        pytest.param("gsm7", ["481b", "1b"], "H ", id="a pair of escapes that is cut"),
        pytest.param("gsm7", ["481b"], "H", id="an escape and nothing"),
        pytest.param("gsm7", ["63616663c3", "a9"], "cafcé", id="UTF-8 that is called GSM 7-bit"),
        pytest.param("gsm7:1:0", ["481b", "5349"], "HŞI", id="an escape pair in Turkish"),
        pytest.param("utf-8", ["48f09f", "9880", "49"], "H😀I", id="UTF-8"),
        pytest.param("ascii", ["48", "1b65"], "H€", id="GSM 7-bit that is called ASCII"),
        pytest.param("shift_jis", ["93", "fa967b"], "日本", id="Shift JIS"),
        pytest.param("jis", ["1b244246", "7c1b2842"], "日", id="ISO-2022-JP"),
        pytest.param("euc_kr", ["be", "c8b3e7"], "안녕", id="Korean"),
        pytest.param("latin-1", ["e9", "e9"], "éé", id="Latin-1"),
    ],
)
def test_a_character_that_was_cut_is_whole_again(charset: str, pieces: list[str], expected: str) -> None:
    assert text(charset, *map(bytes.fromhex, pieces)) == expected


@pytest.mark.parametrize(
    ("charset", "pieces", "expected"),
    [
        pytest.param("utf-16-be", ["0048d83d", None], "H\ufffd", id="the first half of a surrogate pair"),
        pytest.param("utf-16-be", [None, "de000049"], "\ufffdI", id="the second half"),
        pytest.param("utf-16-be", ["0048d83d", None, "0049"], "H\ufffdI", id="what is between"),
        pytest.param("utf-16-be", ["004800", None], "H", id="half a unit"),
        pytest.param("gsm7", ["481b", None, "6549"], "HeI", id="an escape"),
        pytest.param("utf-8", ["48c3", None], "H\ufffd", id="UTF-8"),
        pytest.param("utf-8", [None, "a949", "c3a9"], "\ufffdIé", id="the end of UTF-8"),
        pytest.param("shift_jis", ["93fa96", None], "日\ufffd", id="Shift JIS"),
    ],
)
def test_of_a_character_whose_other_half_is_missing_nothing_is_made_up(
    charset: str, pieces: list[str | None], expected: str
) -> None:
    assert text(charset, *(None if one is None else bytes.fromhex(one) for one in pieces)) == expected


def test_each_part_has_its_own_tables() -> None:
    there = {
        1: part(bytes.fromhex("1b53"), "gsm7:1:0", 1, 4),
        2: part(bytes.fromhex("5c1b"), "gsm7", 2, 4),
        3: part(bytes.fromhex("651c"), "gsm7:0:1", 3, 4),
        4: part("é".encode("utf-16-be"), "utf-16-be", 4, 4),
    }
    assert parts.whole(there, 4).message.text == "ŞÖ€Şé"


def test_parts_that_are_texts_already_stay_so() -> None:
    """A relay of the version before, or an aggregator over HTTP."""
    there = {
        1: part(b"", "", 1, 3, text="Love "),
        2: part("is ".encode("utf-16-be"), "utf-16-be", 2, 3),
        3: part(b"\xff", "", 3, 3, text="kind"),
    }
    found = parts.whole(there, 3)
    assert (found.message.text, found.octets, found.data_coding) == ("Love is kind", "", None)


def _plain(text: str) -> bool:
    """As phones write: no control characters but these, and what begins with a byte order mark has one."""
    return all(one >= " " or one in "\n\r\t" for one in text) and text[:1] not in ("\ufeff", "\ufffe")


ANY = st.text(max_size=60).filter(_plain)
CHARSETS: dict[str, tuple[st.SearchStrategy[str], Callable[[str], bytes]]] = {
    "utf-16-be": (ANY, lambda text: text.encode("utf-16-be")),
    "utf-16-le": (ANY, lambda text: text.encode("utf-16-le")),
    "utf-8": (ANY, lambda text: text.encode()),
    "shift_jis": (st.text("aｱ日本語カ", max_size=60), lambda text: text.encode("shift_jis")),
    "jis": (st.text("aｱ日本語カ", max_size=60), lambda text: text.encode("shift_jis")),
    "euc_kr": (st.text("a안녕하세요", max_size=60), lambda text: text.encode("euc_kr")),
    "gsm7": (st.text("aé@{€}\n", max_size=60), gsm7.encode),
    gsm7_by(TURKISH): (st.text("aŞ€İğ{", max_size=60), lambda text: gsm7_national.encode(text, TURKISH)),
    gsm7_by(URDU): (st.text("سلام€{Z", max_size=60), lambda text: gsm7_national.encode(text, URDU)),
}


@pytest.mark.parametrize("charset", CHARSETS)
@given(data=st.data())
def test_any_text_cut_anywhere_is_the_same_text(charset: str, data: st.DataObject) -> None:
    texts, encode = CHARSETS[charset]
    given_text = data.draw(texts)
    octets = encode(given_text)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=4)))
    pieces = [octets[begin:end] for begin, end in pairwise([0, *cuts, len(octets)])]
    events = [part(one, charset, n, len(pieces)) for n, one in enumerate(pieces, 1)]
    there = {event.piece.sequence: event for event in data.draw(st.permutations(events)) if event.piece}
    found = parts.whole(there, len(pieces))
    assert (found.message.text, found.octets, found.charset) == (given_text, "", "")


@given(data=st.data(), charset=st.sampled_from([*CHARSETS, "binary", "ascii", "latin-1", "cp1252", "iso8859-8"]))
def test_nothing_makes_it_fail(data: st.DataObject, charset: str) -> None:
    pieces = data.draw(st.lists(st.none() | st.binary(max_size=9), min_size=1, max_size=5).filter(any))
    found = joined(charset, *pieces).message.text
    assert "\0" not in found
    found.encode()  # no lone surrogates


# --- octets ---------------------------------------------------------------------------------------------------------


def test_octets_are_joined_as_they_are() -> None:
    found = joined("binary", b"\x01\x06", b"\x00\xff", udh="0605040B8423F0", data_coding=4)
    assert found.piece is None
    assert (found.octets, found.udh, found.data_coding) == ("AQYA/w==", "0605040B8423F0", 4)


def test_a_text_to_a_port_keeps_its_octets() -> None:
    found = joined("gsm7", b"BEGIN:", b"VCARD", udh="06050423F40000")
    assert found.message.text == "BEGIN:VCARD"
    assert (found.octets, found.data_coding) == (base64.b64encode(b"BEGIN:VCARD").decode(), 0)


def test_what_is_no_certain_text_keeps_its_octets() -> None:
    found = joined("utf-16-be", b"\x00H\xd8\x3d", b"\x00I", data_coding=8)
    assert found.message.text == "H\ufffdI"
    assert (found.octets, found.data_coding) == (base64.b64encode(b"\x00H\xd8\x3d\x00I").decode(), 8)
