"""Texts in the air's alphabets, and addresses, both ways."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import gsm7, gsm7_national
from chalicelib.gsm7_national import Shift
from chalicelib.records import Piece
from smsc_relay.cimd2 import address, alphabet, texts
from smsc_relay.cimd2.codec import Packet, parameters
from smsc_relay.cimd2.config import Cimd2Config
from smsc_relay.cimd2.constants import Operation, Tag
from smsc_relay.incoming import Read
from smsc_relay.protocol import CannotEncode

ALL = gsm7.decode(bytes(septet for septet in range(128) if septet != gsm7.ESC)) + "^{}\\[~]|€\f"


def config(**more: Any) -> Cimd2Config:
    return Cimd2Config.read({"host": "smsc", "username": "ilha", "password": "s3cr3t", **more})


def mo(*pairs: tuple[int, str | int | None]) -> Packet:
    return Packet(Operation.DELIVER, 0, parameters(*pairs))


# --- user data ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("Hi {€}", "Hi _XX(_XXe_XX)", id="extensions"),
        pytest.param("^\\[~]|", "_XX_gl_XX/_XX<_XX=_XX>_XX_!!", id="more extensions"),
        pytest.param("@$_\"'", "_Oa$_--_qq'", id="signs"),
        pytest.param("ÄÖÑÜ§¿äöñüà", '_A"_O"_N~_U"_so_??_a"_o"_n~_u"_a`', id="umlauts"),
        pytest.param("£¥èéùìòÇØøÅåÆæßÉ¤¡", "_L-_Y-_e`_e'_u`_i`_o`_C,_O/_o/_A*_a*_AE_ae_ss_E'_ox_!!", id="latin"),
        pytest.param("ΔΦΓΛΩΠΨΣΘΞ", "_gd_gf_gg_gl_go_gp_gi_gs_gt_gx", id="greek"),
        pytest.param("a\nb\rc\f", "a\nb\rc_XX\n", id="controls"),
    ],
)
def test_escapes(text: str, value: str) -> None:
    assert alphabet.encode(gsm7.encode(text)) == value
    assert alphabet.decode(value) == (text, True)


def test_letters_of_latin_1_as_they_are() -> None:
    value = alphabet.encode(gsm7.encode("Äé@_£Δ{"), latin=True)
    assert value == "Äé_Oa_--£_gd_XX("
    assert alphabet.decode(value) == ("Äé@_£Δ{", True)


@given(st.text(st.sampled_from(ALL)), st.booleans())
def test_every_text_survives(text: str, latin: bool) -> None:
    value = alphabet.encode(gsm7.encode(text), latin=latin)
    assert all(ord(character) < 256 for character in value)
    assert alphabet.decode(value) == (text, True)


@given(st.binary(max_size=60).map(lambda octets: bytes(octet & 0x7F for octet in octets)))
def test_every_septet_has_a_form(septets: bytes) -> None:
    assert alphabet.decode(alphabet.encode(septets))[0] == gsm7.decode(septets)


@pytest.mark.parametrize(
    ("value", "text", "sure"),
    [
        pytest.param('@$]}"', '@$Åå"', True, id="raw, in GSM position"),
        pytest.param("äÖñÇ", "äÖñÇ", True, id="raw Latin-1"),
        pytest.param("áç[{", "áç[{", True, id="raw, not in GSM"),
        pytest.param("a_zzb", "a_zzb", False, id="unknown escape"),
        pytest.param("a_", "a_", True, id="at the end"),
        pytest.param("a_b", "a_b", True, id="one character from the end"),
    ],
)
def test_generous(value: str, text: str, sure: bool) -> None:
    assert alphabet.decode(value) == (text, sure)


@given(st.text(st.characters(max_codepoint=255)))
def test_any_user_data_is_read(value: str) -> None:
    text, _ = alphabet.decode(value)
    assert isinstance(text, str)


def test_national_tables() -> None:
    turkish = Shift(single=1)
    septets = gsm7_national.encode("ş€", turkish)
    assert alphabet.encode(septets) == "_XXs_XXe"
    assert alphabet.decode("_XXs_XXe", turkish) == ("ş€", True)


# --- parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "more", "encoding", "sizes"),
    [
        pytest.param("x" * 160, {}, "gsm7", [160], id="160"),
        pytest.param("x" * 161, {}, "gsm7", [153, 8], id="161"),
        pytest.param("x" * 161, {"long_messages": "udh16"}, "gsm7", [152, 9], id="161, 16 bits"),
        pytest.param("€" * 80, {}, "gsm7", [160], id="extensions count twice"),
        pytest.param("ش" * 70, {}, "ucs2", [140], id="70 of UCS-2"),
        pytest.param("ش" * 71, {}, "ucs2", [134, 8], id="71 of UCS-2"),
        pytest.param("Hi", {"encoding": "ucs2"}, "ucs2", [4], id="always UCS-2"),
        pytest.param("“Hi”", {"encoding": "smart"}, "gsm7", [4], id="look-alikes"),
        pytest.param("ş" * 71, {"national_languages": ["turkish"]}, "gsm7:1:0", [142], id="Turkish"),
        pytest.param(
            "ş" * 71,
            {"national_languages": ["turkish"], "encoding": "smart"},
            "gsm7:1:0",
            [142],
            id="what a national table has stays",
        ),
        pytest.param("ş" * 70, {"national_languages": ["turkish"]}, "ucs2", [140], id="Turkish that saves nothing"),
    ],
)
def test_cut(text: str, more: dict[str, Any], encoding: str, sizes: list[int]) -> None:
    found = texts.cut(text, config(**more))
    assert (found.encoding, [len(part) for part in found.parts]) == (encoding, sizes)


@given(st.text(st.sampled_from(ALL + "şΩ☀😀 "), max_size=400), st.booleans(), st.booleans())
def test_parts_are_read_again(text: str, wide: bool, turkish: bool) -> None:
    settings = config(long_messages="udh16" if wide else "udh8", national_languages=["turkish"] if turkish else [])
    found = texts.cut(text, settings)
    joined, total = "", len(found.parts)
    for index in range(total):
        given = texts.written(found, settings, 0x12A, index)
        packet = Packet(Operation.DELIVER, 0, given)
        octets = len(packet.get(Tag.UDH) or "") // 2 + len(packet.get(Tag.BINARY) or "") // 2
        septets = len(found.parts[index]) if packet.get(Tag.USER_DATA) is not None else 0
        assert octets + -(-septets * 7 // 8) <= 140
        read = texts.read(packet, settings)
        assert (read.fault, bool(read.octets)) == ("", total > 1)
        piece = Piece(reference=0x12A if wide else 0x2A, total=total, sequence=index + 1, wide=wide)
        assert read.piece == (piece if total > 1 else None)
        joined += read.text
    assert joined == text


# --- MOs ------------------------------------------------------------------------------------------------------------

PIECE = Piece(reference=0x2A, total=2, sequence=1)
HEADER = "0500032A0201"


@pytest.mark.parametrize(
    ("packet", "read"),
    [
        pytest.param(mo((33, "STOP")), Read("STOP"), id="text"),
        pytest.param(mo((30, 0), (33, "_XXe 5")), Read("€ 5"), id="escapes"),
        pytest.param(mo((30, 8), (34, "00E920ACD83DDE00")), Read("é€😀"), id="UCS-2"),
        pytest.param(mo((30, 24), (34, "062700a0")), Read("ا\u00a0"), id="UCS-2 flash, small hex"),
        pytest.param(mo((30, 0), (34, "E8329BFD06")), Read("hello"), id="packed septets"),
        pytest.param(
            mo((30, 0), (32, HEADER), (34, gsm7.pack(gsm7.encode("Part one"), 1).hex())),
            Read("Part one", "UGFydCBvbmU=", PIECE, charset="gsm7", data_coding=0),
            id="packed septets after fill bits",
        ),
        pytest.param(
            mo((32, HEADER), (33, "Part one")),
            Read("Part one", "UGFydCBvbmU=", PIECE, charset="gsm7", data_coding=0), id="part",
        ),
        pytest.param(
            mo((30, 8), (32, HEADER), (34, "0627")),
            Read("ا", "Bic=", PIECE, charset="utf-16-be", data_coding=8), id="part of UCS-2",
        ),
        pytest.param(mo((32, "03240101"), (33, "_XXs")), Read("ş"), id="Turkish"),
        pytest.param(mo((30, 4), (34, "48692E")), Read("Hi.", "SGku", data_coding=4), id="8-bit"),
        pytest.param(mo((30, 245), (34, "FF")), Read("\ufffd", "/w==", data_coding=245), id="8-bit of class 1"),
        pytest.param(
            mo((30, 245), (32, "0B05040B84C0020003020201"), (34, "0606")),
            Read("\x06\x06", "BgY=", Piece(reference=2, total=2, sequence=1), "", "binary", "0605040B84C002", 245),
            id="part of a WAP push",
        ),
        pytest.param(
            mo((30, 0), (32, "06050423F40000"), (33, "Hi")), Read("Hi", "SGk=", udh="06050423F40000", data_coding=0),
            id="a text to a port",
        ),
        pytest.param(
            mo((30, 0), (32, HEADER), (33, "5_XX")), Read("5", "NRs=", PIECE, charset="gsm7", data_coding=0),
            id="part that ends with an escape",
        ),
        pytest.param(mo((30, 8), (34, "062706")), Read("ا", "BicG", data_coding=8), id="odd octets"),
        pytest.param(mo(), Read(""), id="nothing"),
        pytest.param(
            mo((33, "a_zz")), Read("a_zz", "YV96eg==", fault="user data with an unknown escape"), id="escape"
        ),
        pytest.param(
            mo((30, 8), (34, "06zz")), Read("06zz", "MDZ6eg==", fault="binary user data that is not hex"),
            id="no hex",
        ),
        pytest.param(
            mo((32, "0500"), (33, "Hi")), Read("Hi", fault="a user data header of a wrong length"), id="header"
        ),
    ],
)  # fmt: skip
def test_read(packet: Packet, read: Read) -> None:
    assert texts.read(packet, config()) == read


def test_septets_in_octets() -> None:
    assert texts.read(mo((34, "48691B65")), config(mo_septets="octets")).text == "Hi€"


@pytest.mark.parametrize(
    ("coding", "charset"),
    [(0, "gsm7"), (1, "gsm7"), (4, "binary"), (8, "ucs2"), (12, "gsm7"), (16, "gsm7"), (24, "ucs2"), (0x20, "binary"),
     (0x48, "ucs2"), (0x84, "binary"), (0xC8, "gsm7"), (0xD8, "gsm7"), (0xE0, "ucs2"), (0xF0, "gsm7"), (0xF5, "binary"),
     (255, "binary")],
)  # fmt: skip
def test_data_coding_schemes(coding: int, charset: str) -> None:
    assert texts.charset(coding) == charset


@given(
    st.lists(st.tuples(st.sampled_from([23, 27, 30, 32, 33, 34]), st.text(st.characters(max_codepoint=255)))).map(tuple)
)
def test_any_mo_is_read(given_parameters: tuple[tuple[int, str], ...]) -> None:
    packet = Packet(Operation.DELIVER, 0, given_parameters)
    assert isinstance(texts.read(packet, config()).text, str)
    assert isinstance(address.phone(packet, config()), str)


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "more", "parameter"),
    [
        pytest.param("8080", {}, (23, "8080"), id="short code"),
        pytest.param("+447700900001", {}, (23, "+447700900001"), id="international"),
        pytest.param("447700900001", {"international": "00"}, (23, "00447700900001"), id="00"),
        pytest.param("+44 7700 900001", {"international": "bare"}, (23, "447700900001"), id="bare"),
        pytest.param("ACME", {}, (27, "ACME"), id="alphanumeric"),
        pytest.param("Café 1", {}, (27, "Caf_e' 1"), id="alphanumeric with an escape"),
        pytest.param("ACME", {"senders": "numeric"}, None, id="numeric only"),
        pytest.param("8080", {"senders": "none"}, None, id="none"),
        pytest.param("8080", {"source_addr": "ACME"}, (27, "ACME"), id="of the account"),
        pytest.param("", {}, None, id="empty"),
        pytest.param("400600", {"own_number": "400"}, (23, "600"), id="own number in front"),
        pytest.param("400", {"own_number": "400"}, None, id="nothing but the own number"),
        pytest.param("8080", {"own_number": "400"}, None, id="not the own number"),
    ],
)
def test_senders(text: str, more: dict[str, Any], parameter: tuple[int, str] | None) -> None:
    assert address.sender(text, config(**more)) == parameter


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Twelve chars", "more than 11 characters"),
        ("€€€€€€", "more than 11 characters"),
        ("Ш", "not GSM 7-bit"),
        ("*123#", "has not"),
        ("1" * 21, "more than 20 digits"),
    ],
)
def test_senders_that_cannot_be(text: str, reason: str) -> None:
    with pytest.raises(CannotEncode, match=reason):
        address.sender(text, config())


def test_recipients() -> None:
    assert address.recipient("+447700900123", config()) == "+447700900123"
    with pytest.raises(CannotEncode, match="not a phone number"):
        address.recipient("ACME", config())


@pytest.mark.parametrize(
    ("packet", "more", "phone"),
    [
        pytest.param(mo((23, "+447700900123")), {}, "+447700900123", id="with plus"),
        pytest.param(mo((23, "447700900123")), {}, "+447700900123", id="without"),
        pytest.param(mo((23, "0788123123")), {"country": "RW"}, "+250788123123", id="national"),
        pytest.param(mo((23, "1234")), {"country": "RW"}, "1234", id="short"),
        pytest.param(mo((23, "ACME")), {}, "ACME", id="a name for a number"),
        pytest.param(mo((27, "Caf_e'")), {}, "Café", id="alphanumeric"),
        pytest.param(mo(), {}, "", id="none"),
    ],
)
def test_who_has_sent_it(packet: Packet, more: dict[str, Any], phone: str) -> None:
    assert address.phone(packet, config(**more)) == phone
