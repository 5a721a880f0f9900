"""Texts: cleaned, made GSM 7-bit by look-alikes, cut for aggregators and for the air."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import gsm7, text
from chalicelib.text import Segmentation, clusters, segments, split, substitute_gsm7, utf16_units, with_attachments

FAMILY = "👩‍👩‍👧"
FLAG = "🇺🇬"
THUMB = "👍🏿"
HINDI = "कि"  # a letter and a spacing mark
COMBINED = "e\u0301"
ATOMS = [
    FAMILY,
    FLAG,
    THUMB,
    HINDI,
    COMBINED,
    "❤️",
    "1\ufe0f\u20e3",
    "🏴\U000e0067\U000e0062\U000e007f",
    "a\u0300\u0316",
]


# --- cleaning -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param("a\x00b\x00", "ab", id="NUL"),
        pytest.param("\x00é\x00", "é", id="NUL outside ASCII"),
        pytest.param("\ud83d!", "\ufffd!", id="half a pair"),
        pytest.param("\ud83d\ude00", "\ufffd\ufffd", id="two halves that never became one"),
        pytest.param("😀", "😀", id="astral"),
        pytest.param("", "", id="empty"),
    ],
)
def test_clean(given: str, expected: str) -> None:
    assert text.clean(given) == expected


@given(st.text(st.characters(exclude_categories=())))
def test_clean_text_is_utf8_and_stays_as_it_is(given: str) -> None:
    found = text.clean(given)
    found.encode("utf-8")
    assert "\x00" not in found
    assert text.clean(found) == found


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param("Ubuntu ñ 😀".encode(), "Ubuntu ñ 😀", id="UTF-8"),
        pytest.param(b"caf\xe9!", "caf\ufffd!", id="Latin-1"),
        pytest.param(b"\xf0\x9f\x98", "\ufffd", id="cut"),
        pytest.param(b"a\x00b", "ab", id="NUL"),
        pytest.param(b"\xed\xa0\xbd", "\ufffd\ufffd\ufffd", id="a surrogate in UTF-8's clothes"),
    ],
)
def test_decode_utf8(octets: bytes, expected: str) -> None:
    assert text.decode_utf8(octets) == expected


@given(st.binary())
def test_any_octets_are_a_text(octets: bytes) -> None:
    text.decode_utf8(octets).encode("utf-8")


# --- attachments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "attachments", "expected"),
    [
        pytest.param("Hi", ["image/jpeg:https://x.org/a.jpg"], "Hi\nhttps://x.org/a.jpg", id="text and URL"),
        pytest.param("", ["image/jpeg:https://x.org/a.jpg"], "https://x.org/a.jpg", id="URL alone, no empty line"),
        pytest.param("Hi", ["image/png:http://a", "audio/mp3:http://b"], "Hi\nhttp://a\nhttp://b", id="each on a line"),
        pytest.param("Hi", [], "Hi", id="none"),
        pytest.param("Hi", ["https://x.org/a.jpg"], "Hi\nhttps://x.org/a.jpg", id="a URL without a type"),
        pytest.param("Hi", ["geo:1.5,2.5"], "Hi\ngeo:1.5,2.5", id="a place"),
    ],
)
def test_attachments_follow_the_text(message: str, attachments: list[str], expected: str) -> None:
    assert with_attachments(message, attachments) == expected


# --- look-alikes ----------------------------------------------------------------------------------------------------

SUBSTITUTES = [
    ("áãâ", "a"), ("ÁÂÃÀ", "A"), ("ê", "e"), ("ÈÊ", "E"), ("íî", "i"), ("ÍÎÌ", "I"), ("õôó", "o"), ("ÓÔÒÕ", "O"),
    ("úû", "u"), ("ÚÙÛ", "U"), ("ç", "c"), ("Ç", "C"), ("’‘", "'"), ("“”", '"'), ("–", "-"), ("\u00a0\t", " "),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), SUBSTITUTES)
def test_look_alikes(given: str, expected: str) -> None:
    assert substitute_gsm7(given) == expected * len(given)
    assert substitute_gsm7(f"x{given}y") == f"x{expected * len(given)}y"


@pytest.mark.parametrize(
    "kept", ["à è é ì ò ù É Ñ ñ Ä Ö Ü ä ö ü", "^{}\\[~]|€\f", "Ubuntu: @£$¥ØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæß¤¡§¿"]
)
def test_what_is_gsm7_is_kept(kept: str) -> None:
    assert substitute_gsm7(kept) == kept


@pytest.mark.parametrize(
    "character", ["ë", "ï", "ÿ", "Ë", "Ï", "—", "…", "«", "»", "e\u0301", "😀", "ж", "\x1b"], ids=ascii
)
def test_what_forces_unicode_leaves_the_text_as_it_was(character: str) -> None:
    given = f"“Olá” {character}"
    assert substitute_gsm7(given) == given


@given(st.text(st.sampled_from("abáãçÇ’–\t ë€[")))
def test_a_substitute_is_gsm7_or_nothing_has_changed(given: str) -> None:
    found = substitute_gsm7(given)
    assert len(found) == len(given)
    assert found == given or gsm7.is_gsm7(found)


# --- grapheme clusters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("atom", ATOMS, ids=ascii)
def test_what_reads_as_one_character_is_one(atom: str) -> None:
    assert clusters(f"x{atom}y{atom}{atom}") == ["x", atom, "y", atom, atom]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("abc", ["a", "b", "c"], id="ASCII"),
        pytest.param("", [], id="empty"),
        pytest.param("🇺🇬🇰", ["🇺🇬", "🇰"], id="a flag and a half"),
        pytest.param("\u0301a", ["\u0301", "a"], id="a mark at the beginning"),
        pytest.param("жé", ["ж", "é"], id="letters"),
    ],
)
def test_clusters(given: str, expected: list[str]) -> None:
    assert clusters(given) == expected


# --- cutting for aggregators ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "given", "parts"),
    [
        pytest.param(10, "one two three four", ["one two", "three", "four"], id="at a space near the end"),
        pytest.param(20, "hello world foo bar baz qux", ["hello world foo", "bar baz qux"], id="longer"),
        pytest.param(10, "a" * 25, ["a" * 10, "a" * 10, "a" * 5], id="no space"),
        pytest.param(10, "é" * 12, ["é" * 10, "é" * 2], id="characters are counted, not octets"),
        pytest.param(10, "😀" * 12, ["😀" * 10, "😀" * 2], id="an astral character is one"),
        pytest.param(160, "ж" * 160, ["ж" * 160], id="just within"),
        pytest.param(160, "ж" * 161, ["ж" * 160, "ж"], id="just beyond"),
        pytest.param(10, "  kept as it is "[:10], ["  kept as "], id="within the limit nothing is stripped"),
        pytest.param(10, "abc defghijkl", ["abc defghi", "jkl"], id="a space too early is no place to cut"),
        pytest.param(10, "abcd efghijkl", ["abcd", "efghijkl"], id="the earliest space that is one"),
        pytest.param(10, "abcdefghij klm", ["abcdefghij", "klm"], id="a space right after"),
        pytest.param(10, "abcdefghi\nklm", ["abcdefghi", "klm"], id="a line end at the limit"),
        pytest.param(5, " " * 12 + "x", ["x"], id="parts of spaces are left out"),
        pytest.param(5, " " * 12, [""], id="nothing but spaces"),
        pytest.param(10, "", [""], id="empty"),
        pytest.param(10, "abcdefgh" + FAMILY + "ij", ["abcdefgh", FAMILY + "ij"], id="a family stays together"),
        pytest.param(10, "abcdefghi" + FLAG, ["abcdefghi", FLAG], id="a flag stays whole"),
        pytest.param(10, "abcdefghi" + COMBINED + "z", ["abcdefghi", COMBINED + "z"], id="an accent with its letter"),
        pytest.param(3, "ab" + FAMILY, ["ab", FAMILY[:3], FAMILY[3:]], id="longer than a part: cut after all"),
        pytest.param(1, "abc", ["a", "b", "c"], id="one"),
    ],
)
def test_split(limit: int, given: str, parts: list[str]) -> None:
    assert split(given, limit) == parts


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_an_error(limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        split("x", limit)


RICH = st.lists(st.sampled_from(["a", "bc", " ", "  ", "\n", "é", "😀", "€", "[", *ATOMS]), max_size=80).map("".join)


@given(RICH, st.integers(1, 40))
def test_parts_are_within_the_limit_and_lose_only_white_space(given: str, limit: int) -> None:
    parts = split(given, limit)
    assert max(map(len, parts)) <= limit
    assert "".join("".join(parts).split()) == "".join(given.split())
    assert split(given, limit) == parts
    if len(given) > limit:
        assert all(part == part.strip() for part in parts)
        assert all(parts) or parts == [""]


def cuts_of(given: str, parts: list[str]) -> list[int]:
    """Where the parts begin in the text, which they are in order, white space left out between them."""
    at, found = 0, []
    for part in parts:
        at = given.index(part, at)
        found.append(at)
        at += len(part)
    return found


def boundaries(given: str) -> set[int]:
    """Where a cut falls between two characters as a reader sees them: never before a mark, a joiner or half a flag."""
    at, found = 0, {0, len(given)}
    for cluster in clusters(given):
        at += len(cluster)
        found.add(at)
    return found


@given(RICH, st.integers(max(map(len, ATOMS)), 40))
def test_no_cut_falls_into_what_reads_as_one_character(given: str, limit: int) -> None:
    for part in split(given, limit)[1:]:
        assert not unicodedata.category(part[0]).startswith("M")
        assert part[0] not in "\u200d\ufe0f"
    for parts in (split(given, limit), list(segments(given).parts)):
        assert set(cuts_of(given, parts)) <= boundaries(given)


# --- segments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "encoding", "lengths"),
    [
        pytest.param("", "gsm7", [0], id="empty"),
        pytest.param("a" * 160, "gsm7", [160], id="GSM, one"),
        pytest.param("a" * 161, "gsm7", [153, 8], id="GSM, two"),
        pytest.param("a" * 306, "gsm7", [153, 153], id="GSM, two full"),
        pytest.param("a" * 307, "gsm7", [153, 153, 1], id="GSM, three"),
        pytest.param("€" * 80, "gsm7", [80], id="extension characters take two septets"),
        pytest.param("€" * 81, "gsm7", [76, 5], id="an escape pair is not cut: 76 x 2 of 153"),
        pytest.param("a" + "€" * 80, "gsm7", [77, 4], id="153 exactly"),
        pytest.param("ж" * 70, "ucs2", [70], id="UCS-2, one"),
        pytest.param("ж" * 71, "ucs2", [67, 4], id="UCS-2, two"),
        pytest.param("😀" * 35, "ucs2", [35], id="astral, one"),
        pytest.param("😀" * 36, "ucs2", [33, 3], id="a surrogate pair is not cut: 33 x 2 of 67"),
        pytest.param("ж" + "😀" * 35, "ucs2", [34, 2], id="67 exactly"),
        pytest.param("ж" * 66 + COMBINED + "ж" * 9, "ucs2", [66, 11], id="an accent with its letter"),
        pytest.param("ж" + "\u0301" * 100, "ucs2", [67, 34], id="a cluster longer than a segment"),
    ],
)
def test_segments(given: str, encoding: str, lengths: list[int]) -> None:
    found = segments(given)
    assert (found.encoding, [len(part) for part in found.parts], found.count) == (encoding, lengths, len(lengths))


@pytest.mark.parametrize(
    ("given", "lengths"),
    [
        pytest.param("a" * 160, [160], id="one needs no reference"),
        pytest.param("a" * 305, [152, 152, 1], id="GSM"),
        pytest.param("ж" * 133, [66, 66, 1], id="UCS-2"),
    ],
)
def test_a_16_bit_reference_leaves_less_room(given: str, lengths: list[int]) -> None:
    assert [len(part) for part in segments(given, reference_bits=16).parts] == lengths


def test_ucs2_may_be_asked_for() -> None:
    assert segments("plain", encoding="ucs2") == Segmentation("ucs2", ("plain",), 5)


@given(RICH, st.sampled_from([8, 16]), st.sampled_from([None, "ucs2"]))
def test_segments_lose_nothing_and_fit(given: str, bits: int, encoding: str | None) -> None:
    found = segments(given, reference_bits=bits, encoding=encoding)  # type: ignore[arg-type]
    size = gsm7.septets if found.encoding == "gsm7" else utf16_units
    single, joined = {"gsm7": (160, 153), "ucs2": (70, 67)}[found.encoding]
    assert "".join(found.parts) == given
    assert found.units == size(given)
    assert max(map(size, found.parts)) <= (single if found.count == 1 else joined - (bits == 16))
    assert (found.count == 1) == (found.units <= single)


@given(st.text(st.characters(exclude_categories=())))
def test_utf16_units_are_half_the_octets(given: str) -> None:
    assert utf16_units(given) == len(given.encode("utf-16-be", "surrogatepass")) // 2
