"""National language shift tables of 3GPP TS 23.038 annex A."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import gsm7
from chalicelib.gsm7 import GSMEncodeError
from chalicelib.gsm7_national import NUMBERS, Language, Shift, decode, encode, fits, segments, septets, shifts

TURKISH, SPANISH, PORTUGUESE, HINDI, URDU = 1, 2, 3, 6, 13
ALL = shifts(NUMBERS)


@pytest.mark.parametrize(
    ("text", "shift", "octets"),
    [
        pytest.param("Şa", Shift(single=TURKISH), "1B5361", id="Turkish, single"),
        pytest.param("Şa", Shift(locking=TURKISH), "1C61", id="Turkish, locking"),
        pytest.param("İıĞğŞşç€", Shift(single=TURKISH), "1B491B691B471B671B531B731B631B65", id="Turkish, single, all"),
        pytest.param("€ığĞŞşİç", Shift(locking=TURKISH), "04070C0B1C1D4060", id="Turkish, locking, all"),
        pytest.param("çÁÍÓÚáíóú", Shift(single=SPANISH), "1B091B411B491B4F1B551B611B691B6F1B75", id="Spanish"),
        pytest.param("ação", Shift(locking=PORTUGUESE), "61097B6F", id="Portuguese, locking"),
        pytest.param("ação", Shift(single=PORTUGUESE), "611B091B7B6F", id="Portuguese, single"),
        pytest.param("^{}\\[~]|", Shift(locking=PORTUGUESE), "161B281B29171B3C601B3E1A", id="Portuguese, brackets"),
        pytest.param("नमस्ते", Shift(locking=HINDI), "2F424C5F2759", id="Hindi"),
        pytest.param("१ A", Shift(HINDI, HINDI), "1B1D201B41", id="Hindi, digits and Latin letters"),
        pytest.param("سلام", Shift(locking=URDU), "3D4D004E", id="Urdu"),
    ],
)  # fmt: skip
def test_vectors(text: str, shift: Shift, octets: str) -> None:
    assert encode(text, shift).hex().upper() == octets
    assert decode(bytes.fromhex(octets), shift) == text
    assert septets(text, shift) == len(octets) // 2


@pytest.mark.parametrize(
    ("octets", "shift", "text"),
    [
        pytest.param("1B1B41", Shift(single=TURKISH), " A", id="ESC ESC"),
        pytest.param("411B", Shift(single=TURKISH), "A", id="ESC at the end"),
        pytest.param("1B0D41", Shift(single=TURKISH), "A", id="reserved control character"),
        pytest.param("1B41", Shift(single=TURKISH), "A", id="not in the single shift table"),
        pytest.param("1B05", Shift(single=TURKISH, locking=HINDI), "इ", id="not in it: the locking table's"),
        pytest.param("0B0E", Shift(locking=4), "ঌ ", id="a septet without a character"),
        pytest.param("1B65", Shift(locking=HINDI), "€", id="locking alone keeps the standard extension"),
        pytest.param("001B28", Shift(14, 99), "@{", id="numbers of no language"),
        pytest.param("001B28", Shift(locking=SPANISH), "@{", id="Spanish has no locking table"),
        pytest.param("80C1", Shift(single=TURKISH), "@A", id="the high bit is ignored"),
    ],
)
def test_decoding(octets: str, shift: Shift, text: str) -> None:
    assert decode(bytes.fromhex(octets), shift) == text


@pytest.mark.parametrize("shift", ALL, ids=str)
def test_all_of_every_table_comes_back(shift: Shift) -> None:
    alone = [decode(bytes((septet,)), shift) for septet in range(128) if septet != gsm7.ESC]
    escaped = [decode(bytes((gsm7.ESC, septet)), shift) for septet in range(128)]
    text = "".join(character for character in alone + escaped if character)
    assert decode(encode(text, shift), shift) == text


@pytest.mark.parametrize(
    ("shift", "character", "octets"),
    [
        pytest.param(Shift(4, 4), "*", "1B0B", id="twice in the single shift table: the lower"),
        pytest.param(Shift(4, 4), " ", "20", id="a space is no undefined septet"),
        pytest.param(Shift(SPANISH), "ü", "7E", id="in the default alphabet: no escape"),
        pytest.param(Shift(PORTUGUESE), "Φ", "12", id="in both: no escape"),
    ],
)
def test_which_of_two_places(shift: Shift, character: str, octets: str) -> None:
    assert encode(character, shift) == bytes.fromhex(octets)


def test_what_is_not_in_the_tables() -> None:
    with pytest.raises(GSMEncodeError) as caught:
        encode("Şж", Shift(single=TURKISH))
    assert caught.value.position == 1
    assert not fits("Şж", Shift(single=TURKISH))
    assert not fits("Ş", Shift())


@pytest.mark.parametrize(
    ("shift", "elements"),
    [
        (Shift(), ""),
        (Shift(single=1), "240101"),
        (Shift(locking=3), "250103"),
        (Shift(1, 1), "240101250101"),
    ],
    ids=["none", "single", "locking", "both"],
)
def test_elements(shift: Shift, elements: str) -> None:
    assert shift.elements == bytes.fromhex(elements)


@pytest.mark.parametrize(
    ("shift", "alone", "narrow", "wide"),
    [
        pytest.param(Shift(single=TURKISH), 155, 149, 148, id="one element"),
        pytest.param(Shift(TURKISH, TURKISH), 152, 146, 145, id="two elements"),
    ],
)
def test_room(shift: Shift, alone: int, narrow: int, wide: int) -> None:
    assert segments("a" * alone, shift) == ["a" * alone]
    assert [len(part) for part in segments("a" * (alone + 1), shift)] == [narrow, alone + 1 - narrow]
    cut = segments("a" * (alone + 1), shift, reference_bits=16)
    assert [len(part) for part in cut] == [wide, alone + 1 - wide]


@given(text=st.text(st.sampled_from("aŞğ€{ çi\n"), max_size=500), shift=st.sampled_from(shifts(["turkish"])))
def test_segments_are_the_text(text: str, shift: Shift) -> None:
    parts = segments(text, shift)
    assert "".join(parts) == text
    limit = 160 if len(parts) == 1 else 149
    assert all(septets(part, shift) <= limit for part in parts)


def test_every_language_has_its_number() -> None:
    assert set(NUMBERS) == set(get_args(Language))
    assert sorted(NUMBERS.values()) == list(range(1, 14))
    assert len(ALL) == 13 + 12 + 12
