"""The GSM 7-bit default alphabet: every character by its code in 3GPP TS 23.038 6.2.1, packed as in 6.1.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import gsm7
from chalicelib.gsm7 import GSMEncodeError, decode, encode, is_gsm7, pack, septets, unpack

# The table of 6.2.1, column by column: code of the first character of each run.
BASIC = {
    0x00: "@£$¥èéùìòÇ\nØø\rÅå",
    0x10: "Δ_ΦΓΛΩΠΨΣΘΞ",
    0x1C: "ÆæßÉ",
    0x20: " !\"#¤%&'()*+,-./",
    0x30: "0123456789:;<=>?",
    0x40: "¡ABCDEFGHIJKLMNO",
    0x50: "PQRSTUVWXYZÄÖÑÜ§",
    0x60: "¿abcdefghijklmno",
    0x70: "pqrstuvwxyzäöñüà",
}
# 6.2.1.1
EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
ALPHABET = "".join(BASIC.values()) + "".join(EXTENSION)


@pytest.mark.parametrize(("first", "characters"), BASIC.items(), ids=ascii)
def test_the_default_alphabet(first: int, characters: str) -> None:
    octets = bytes(range(first, first + len(characters)))
    assert encode(characters) == octets
    assert decode(octets) == characters
    assert septets(characters) == len(characters)


@pytest.mark.parametrize(("character", "code"), EXTENSION.items(), ids=ascii)
def test_the_extension_table(character: str, code: int) -> None:
    octets = bytes((0x1B, code))
    assert encode(character) == octets
    assert decode(octets) == character
    assert septets(character) == 2


def test_the_alphabet_is_complete() -> None:
    assert len(ALPHABET) == 127 + 10
    assert is_gsm7(ALPHABET)


@pytest.mark.parametrize(
    ("text", "character", "position"),
    [
        pytest.param("ab`", "`", 2, id="grave accent"),
        pytest.param("ëa", "ë", 0, id="at once"),
        pytest.param("\x1b", "\x1b", 0, id="ESC is no text"),
        pytest.param("[€]…", "…", 3, id="characters are counted, not septets"),
        pytest.param("a😀", "😀", 1, id="astral"),
        pytest.param("a\ud83d", "\ud83d", 1, id="half a pair"),
        pytest.param("e\u0301", "\u0301", 1, id="combining"),
        pytest.param("\x00", "\x00", 0, id="NUL"),
        pytest.param("\t", "\t", 0, id="tab"),
    ],
)
def test_what_is_not_in_it(text: str, character: str, position: int) -> None:
    assert not is_gsm7(text)
    with pytest.raises(GSMEncodeError, match=rf"U\+{ord(character):04X} at position {position} ") as caught:
        encode(text)
    assert (caught.value.character, caught.value.position) == (character, position)


def test_small_c_with_cedilla_is_written_as_the_capital() -> None:
    assert is_gsm7("ç")
    assert encode("ç") == encode("Ç") == b"\x09"
    assert decode(b"\x09") == "Ç"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        pytest.param(b"\x1b\x41", "A", id="an extension that is none is the default character"),
        pytest.param(b"\x1b\x1b", " ", id="ESC ESC is reserved: a space"),
        pytest.param(b"\x1b\x1b\x41", " A", id="and takes nothing with it"),
        pytest.param(b"A\x1b", "A", id="a lone ESC at the end"),
        pytest.param(b"\x1b\x0aB", "\fB", id="page break"),
        pytest.param(b"\xc1\xe2", "Ab", id="the high bit is ignored"),
        pytest.param(b"\x9b\xe5", "€", id="the high bit of an escape too"),
        pytest.param(b"", "", id="nothing"),
    ],
)
def test_decoding_never_fails(octets: bytes, text: str) -> None:
    assert decode(octets) == text


@given(st.binary())
def test_any_octets_decode(octets: bytes) -> None:
    assert is_gsm7(decode(octets))


@given(st.text(ALPHABET))
def test_what_is_written_is_read_again(text: str) -> None:
    octets = encode(text)
    assert decode(octets) == text
    assert len(octets) == septets(text)
    assert all(octet < 0x80 for octet in octets)


@given(st.text())
def test_encoding_fails_for_what_is_not_gsm7_and_for_nothing_else(text: str) -> None:
    known = set(text) <= {*ALPHABET, "ç"}
    assert is_gsm7(text) is known
    if known:
        encode(text)
    else:
        with pytest.raises(GSMEncodeError):
            encode(text)


# --- packing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("1", "31", id="one septet in one octet"),
        pytest.param("12", "3119", id="two"),
        pytest.param("1234567", "31D98C56B3DD00", id="seven in seven octets"),
        pytest.param("12345678", "31D98C56B3DD70", id="eight in seven octets"),
        pytest.param("hellohello", "E8329BFD4697D9EC37", id="ten"),
        pytest.param("How are you?", "C8F71D14969741F977FD07", id="a sentence"),
    ],
)
def test_packing(text: str, packed: str) -> None:
    octets = bytes.fromhex(packed)
    assert pack(encode(text)) == octets
    assert decode(unpack(octets, len(encode(text)))) == text


def test_fill_bits_come_first() -> None:
    """Text after a header of six octets begins at a septet's boundary: one fill bit (3GPP TS 23.040 9.2.3.24)."""
    assert pack(encode("A"), 1) == bytes((0x41 << 1,))
    assert unpack(bytes((0x41 << 1,)), 1, fill_bits=1) == b"A"


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        pytest.param("31D98C56B3DD1A", "1234567", id="a CR that fills the last octet"),
        pytest.param("31D98C56B3DD00", "1234567", id="zero bits that fill it"),
        pytest.param("31D98C56B3DD70", "12345678", id="an eighth character"),
        pytest.param("0D", "\r", id="one septet: nothing was to be filled"),
    ],
)
def test_what_fills_the_last_octet_is_no_text(packed: str, text: str) -> None:
    assert decode(unpack(bytes.fromhex(packed))) == text


def test_a_count_beyond_the_octets_gives_what_is_there() -> None:
    assert unpack(b"\x31", 9) == b"1"


@given(st.binary(max_size=200).map(lambda octets: bytes(octet & 0x7F for octet in octets)), st.integers(0, 6))
def test_what_is_packed_is_unpacked_again(unpacked: bytes, fill: int) -> None:
    packed = pack(unpacked, fill)
    assert len(packed) == -(-(7 * len(unpacked) + fill) // 8)
    assert unpack(packed, len(unpacked), fill) == unpacked


@given(st.binary(max_size=200), st.integers(0, 6))
def test_any_octets_unpack(packed: bytes, fill: int) -> None:
    assert gsm7.decode(unpack(packed, fill_bits=fill)) is not None
