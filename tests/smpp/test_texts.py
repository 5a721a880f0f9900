"""Texts on the wire: encoding and cutting on the way out, every data_coding on the way in."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import gsm7
from chalicelib.records import Piece
from smsc_relay import air
from smsc_relay.incoming import Read
from smsc_relay.smpp import texts
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import Tag
from smsc_relay.smpp.pdus import DataSm, DeliverSm, int_tlv, octets_tlv

GREETING = "Olá! 😀 é €"


def config(**more: Any) -> SmppConfig:
    return SmppConfig.read({"host": "smsc", "system_id": "ilha", **more})


def mo(octets: bytes, data_coding: int = 0, esm_class: int = 0, **fields: Any) -> DeliverSm:
    return DeliverSm(source_addr="250788123123", destination_addr="8080", esm_class=esm_class,
                     data_coding=data_coding, short_message=octets, **fields)  # fmt: skip


def read(pdu: DeliverSm | DataSm, **more: Any) -> Read:
    return texts.read(pdu, config(**more))


def said(found: Read) -> tuple[str, Piece | None]:
    """Text, and which part it is."""
    return found.text, found.piece


# --- in -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data_coding", "octets", "text"),
    [
        pytest.param(0x00, b"Hi \x1b(\x1be\x1b) \x00\x02", "Hi {€} @$", id="00 default alphabet"),
        pytest.param(0x00, b"\x1b\x1b\x1bA\x1b", " A", id="00 odd escapes"),
        pytest.param(0x01, b"Hi @$_", "Hi @$_", id="01 ASCII"),
        pytest.param(0x01, b"a\x11b \x00", "a_b @", id="01 that is GSM 7-bit"),
        pytest.param(0x03, b"caf\xe9 \xbf", "café ¿", id="03 Latin-1"),
        pytest.param(0x05, "日本".encode("shift_jis"), "日本", id="05 Shift JIS"),
        pytest.param(0x05, "日本".encode("iso2022_jp"), "日本", id="05 ISO-2022-JP"),
        pytest.param(0x06, "Привет".encode("iso8859-5"), "Привет", id="06 Cyrillic"),
        pytest.param(0x07, "שלום".encode("iso8859-8"), "שלום", id="07 Hebrew"),
        pytest.param(0x08, GREETING.encode("utf-16-be"), GREETING, id="08 UCS-2"),
        pytest.param(0x08, b"\xfe\xff\x00H\x00i", "Hi", id="08 byte order mark"),
        pytest.param(0x08, b"\xff\xfeH\x00i\x00", "Hi", id="08 byte order mark, little-endian"),
        pytest.param(0x0E, "안녕".encode("euc_kr"), "안녕", id="0E Korean"),
        *[pytest.param(dcs, b"\x00Hi", "@Hi", id=f"{dcs:02X} GSM text") for dcs in
          (0x10, 0x11, 0x12, 0x13, 0xC0, 0xC8, 0xD0, 0xDF, 0xF0, 0xF1, 0xF2, 0xF3)],
        *[pytest.param(dcs, b"\x06\x27", "ا", id=f"{dcs:02X} UCS-2") for dcs in (0x18, 0x19, 0x1A, 0x1B, 0xE0, 0xEF)],
    ],
)  # fmt: skip
def test_data_codings(data_coding: int, octets: bytes, text: str) -> None:
    assert read(mo(octets, data_coding)) == Read(text)


@pytest.mark.parametrize(
    ("data_coding", "octets", "text"),
    [
        *[pytest.param(dcs, b"A\x80\xff", "A\ufffd\ufffd", id=f"{dcs:02X}") for dcs in
          (0x02, 0x04, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0F, 0x14, 0x15, 0x16, 0x17, 0x1C, 0x20, 0x3F, 0x40, 0xBF,
           0xF4, 0xF5, 0xF6, 0xF7)],
        pytest.param(0x00, "café".encode(), "café", id="00 that is UTF-8"),
        pytest.param(0x00, b"caf\xe9", "café", id="00 that is Latin-1"),
        pytest.param(0x01, b"caf\xe9", "café", id="01 with a high bit"),
        pytest.param(0x05, b"\x82", "\ufffd", id="05 cut"),
        pytest.param(0x08, b"\x00H\x00i\x00", "Hi", id="08 odd number of octets"),
        pytest.param(0x08, b"\x00H\xd8\x3d", "H\ufffd", id="08 half a surrogate pair"),
    ],
)  # fmt: skip
def test_what_is_not_certain_keeps_its_octets(data_coding: int, octets: bytes, text: str) -> None:
    expected = Read(text, base64.b64encode(octets).decode(), data_coding=data_coding)
    assert read(mo(octets, data_coding)) == expected


@pytest.mark.parametrize(
    ("alphabet", "octets", "text"),
    [
        pytest.param("gsm7", b"\x00", "@", id="GSM 7-bit"),
        pytest.param("gsm7_packed", bytes.fromhex("E8329BFD06"), "hello", id="packed"),
        pytest.param("gsm7_packed", bytes.fromhex("31D98C56B3DD1A"), "1234567", id="packed, filled with CR"),
        pytest.param("latin1", b"caf\xe9", "café", id="Latin-1"),
        pytest.param("windows-1252", b"\x80", "€", id="Windows-1252"),
        pytest.param("ascii", b"a_b", "a_b", id="ASCII"),
        pytest.param("utf-8", "ا".encode(), "ا", id="UTF-8"),
        pytest.param("ucs2", b"\x06\x27", "ا", id="UCS-2"),
    ],
)
def test_alphabets_of_the_account(alphabet: str, octets: bytes, text: str) -> None:
    assert read(mo(octets), alphabet=alphabet) == Read(text)
    assert read(mo(octets), mo_alphabet=alphabet, alphabet="ascii") == Read(text)


@pytest.mark.parametrize(
    ("data_coding", "more", "octets", "text"),
    [
        pytest.param(0, {"alphabet": "iso8859-9"}, b"\xfe\xf0", "şğ", id="Latin-5"),
        pytest.param(3, {"alphabet": "iso8859-9"}, b"\xfe", "þ", id="Latin-1 beside it"),
        pytest.param(3, {"alphabet": "iso8859-9", "data_coding": 3}, b"\xfe", "ş", id="Latin-5 for Latin-1"),
        pytest.param(0, {"alphabet": "iso8859-9", "data_coding": 3}, b"\x00", "@", id="and GSM 7-bit for 0"),
        pytest.param(6, {"alphabet": "iso8859-5"}, b"\xd6", "ж", id="Cyrillic"),
        pytest.param(0, {"alphabet": "iso8859-5"}, b"\x00", "@", id="GSM 7-bit beside it"),
        pytest.param(0, {"alphabet": "iso8859-5", "data_coding": 0}, b"\xd6", "ж", id="Cyrillic for 0"),
        pytest.param(5, {"alphabet": "shift_jis"}, "日本".encode("iso2022_jp"), "日本", id="the other JIS"),
        pytest.param(0, {"alphabet": "shift_jis", "data_coding": 0}, b"\x93\xfa", "日", id="Shift JIS for 0"),
        pytest.param(3, {"mo_charsets": {3: "iso8859-9"}}, b"\xfe", "ş", id="mo_charsets"),
        pytest.param(4, {"mo_charsets": {"4": "utf-8"}}, "ş".encode(), "ş", id="text that is called binary"),
        pytest.param(1, {"alphabet": "gsm7_packed", "mo_charsets": {1: "gsm7"}}, b"\x00", "@", id="not packed"),
        pytest.param(0xF1, {"alphabet": "gsm7_packed"}, bytes.fromhex("E8329BFD06"), "hello", id="packed"),
        pytest.param(3, {"alphabet": "iso8859-9", "data_coding": 3, "mo_charsets": {3: "latin1"}}, b"\xfe", "þ",
                     id="mo_charsets count more"),
    ],
)  # fmt: skip
def test_charsets_of_mos(data_coding: int, more: dict[str, Any], octets: bytes, text: str) -> None:
    assert read(mo(octets, data_coding), **more) == Read(text)


def test_binary_from_an_smsc_of_33() -> None:
    found = read(mo(b"\x01\x80\xff", 4), interface_version=33, bind="pair")
    assert found.octets == base64.b64encode(b"\x01\x80\xff").decode()


def test_little_endian_by_agreement() -> None:
    assert read(mo(b"H\x00i\x00", 8), ucs2_order="little").text == "Hi"


@pytest.mark.parametrize(
    ("header", "piece"),
    [
        pytest.param("0500032A0201", Piece(reference=0x2A, total=2, sequence=1), id="8-bit reference"),
        pytest.param("060804012A0302", Piece(reference=0x12A, total=3, sequence=2, wide=True), id="16-bit reference"),
        pytest.param("0B0504158A00000003070202", Piece(reference=7, total=2, sequence=2), id="ports and 8-bit"),
        pytest.param("0A00032A02010003070202", Piece(reference=7, total=2, sequence=2), id="repeated: the last"),
        pytest.param("0605040B8423F0", None, id="ports"),
        pytest.param("037F0101", None, id="unknown element"),
        pytest.param("0500032A0101", None, id="one of one"),
        pytest.param("0500032A0203", None, id="three of two"),
        pytest.param("0500032A0200", None, id="none of two"),
        pytest.param("0500032A0001", None, id="one of none"),
        pytest.param("0400022A02", None, id="element of another length"),
        pytest.param("00", None, id="empty"),
    ],
)
def test_headers(header: str, piece: Piece | None) -> None:
    octets = bytes.fromhex(header)
    assert said(read(mo(octets + b"Hi", esm_class=0x40))) == ("Hi", piece)
    assert said(read(mo(octets + b"\x06\x27", 8, 0x40))) == ("ا", piece)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x05", id="only a length"),
        pytest.param(b"\x09\x00\x03\x2a", id="longer than the message"),
        pytest.param(b"\x03\x00\x03\x2aHello", id="an element longer than the header"),
        pytest.param(b"\x04\x70\x00\x00Hello", id="half an element"),
    ],
)
def test_broken_headers(octets: bytes) -> None:
    found = read(mo(octets, esm_class=0x40))
    assert (found.octets, found.piece) == (base64.b64encode(octets).decode(), None)
    assert found.fault == "a user data header that runs past its message"


@pytest.mark.parametrize(
    ("text", "data_coding"),
    [
        pytest.param("Hi", 8, id="Latin letters"),
        pytest.param("Привет, Кампала", 8, id="Cyrillic"),
        pytest.param("שלום", 8, id="Hebrew"),
        pytest.param("سلام", 8, id="Arabic"),
        pytest.param("你好", 8, id="Chinese"),
        pytest.param("Hello", 0, id="GSM 7-bit"),
        pytest.param("Été", 3, id="Latin-1"),
    ],
)
def test_a_header_that_only_esm_class_has(text: str, data_coding: int) -> None:
    octets = text.encode({0: "ascii", 3: "latin-1", 8: "utf-16-be"}[data_coding])
    found = read(mo(octets, data_coding, esm_class=0x40))
    assert (found.text, found.piece) == (text, None)
    assert found.fault == "a user data header is announced where there is none"


def test_a_part_cut_inside_a_character_has_its_header() -> None:
    octets = bytes.fromhex("060804002A0201") + "aא".encode("utf-16-be")[:3]
    assert read(mo(octets, 8, esm_class=0x40)).piece == Piece(reference=0x2A, total=2, sequence=1, wide=True)


def test_a_header_that_esm_class_forgets() -> None:
    piece = Piece(reference=0x2A, total=2, sequence=1)
    assert said(read(mo(bytes.fromhex("0500032A0201") + b"Hi"))) == ("Hi", piece)
    wide = piece.model_copy(update={"wide": True})
    assert said(read(mo(bytes.fromhex("060804002A0201") + b"Hi"))) == ("Hi", wide)
    assert read(mo(bytes.fromhex("0500032A0203") + b"Hi")).text == "é@¥*$¥Hi"


def test_a_packed_text_begins_after_its_fill_bits() -> None:
    octets = bytes.fromhex("0500032A0201A061391DF4769701")
    assert read(mo(octets, esm_class=0x40), alphabet="gsm7_packed").text == "Part one"
    octets = bytes.fromhex("060804012A0202D0B09C0EA2DFDF")
    assert read(mo(octets, esm_class=0x40), alphabet="gsm7_packed").text == "Part two"


@pytest.mark.parametrize(
    ("header", "octets", "text"),
    [
        pytest.param("03240101", "1B5361", "Şa", id="Turkish, single"),
        pytest.param("03250101", "1C61", "Şa", id="Turkish, locking"),
        pytest.param("06240101250101", "1C1B47", "ŞĞ", id="Turkish, both"),
        pytest.param("0325010D", "3D4D004E", "سلام", id="Urdu"),
        pytest.param("03240163", "1B65", "€", id="no language"),
        pytest.param("0424020101", "1B65", "€", id="element of another length"),
    ],
)
def test_national_languages(header: str, octets: str, text: str) -> None:
    septets = bytes.fromhex(octets)
    assert read(mo(bytes.fromhex(header) + septets, esm_class=0x40)) == Read(text)
    packed = gsm7.pack(septets, air.fill_bits(len(header) // 2))
    assert read(mo(bytes.fromhex(header) + packed, esm_class=0x40), alphabet="gsm7_packed").text.rstrip("@\r") == text


def test_a_part_in_a_national_language() -> None:
    octets = bytes.fromhex("0800032A0201240101") + b"\x1bSa"
    assert said(read(mo(octets, esm_class=0x40))) == ("Şa", Piece(reference=0x2A, total=2, sequence=1))


SAR = (
    int_tlv(Tag.SAR_MSG_REF_NUM, 0x12A),
    int_tlv(Tag.SAR_TOTAL_SEGMENTS, 2),
    int_tlv(Tag.SAR_SEGMENT_SEQNUM, 1),
)


def test_sar() -> None:
    assert said(read(mo(b"Hi", tlvs=SAR))) == ("Hi", Piece(reference=0x12A, total=2, sequence=1, wide=True))
    for missing in SAR:
        assert read(mo(b"Hi", tlvs=tuple(tlv for tlv in SAR if tlv != missing))) == Read("Hi")


def test_a_header_counts_before_sar() -> None:
    octets = bytes.fromhex("050003070202") + b"Hi"
    assert read(mo(octets, esm_class=0x40, tlvs=SAR)).piece == Piece(reference=7, total=2, sequence=2)


def test_message_payload() -> None:
    payload = octets_tlv(Tag.MESSAGE_PAYLOAD, "á".encode("utf-16-be") * 200)
    assert read(mo(b"", 8, tlvs=(payload,))).text == "á" * 200
    assert read(mo(b"Hi", tlvs=(payload,))).text == "Hi"
    assert read(DataSm(data_coding=8, tlvs=(payload,))).text == "á" * 200
    assert read(DataSm()).text == ""


@given(octets=st.binary(max_size=40), data_coding=st.integers(0, 255), esm_class=st.sampled_from([0, 0x40]))
def test_nothing_makes_it_fail(octets: bytes, data_coding: int, esm_class: int) -> None:
    found = read(mo(octets, data_coding, esm_class))
    assert "\0" not in found.text
    found.text.encode()  # no lone surrogates


# --- out ------------------------------------------------------------------------------------------------------------

GSM_160, GSM_161 = "Love is patient." * 10, "Love is patient." * 10 + "!"
UCS_70, UCS_71 = "á" * 70, "á" * 71
ESCAPES = "€" * 80  # 160 septets


@pytest.mark.parametrize(
    ("text", "more", "encoding", "data_coding", "lengths"),
    [
        pytest.param("", {}, "gsm7", 0, [0], id="empty"),
        pytest.param(GSM_160, {}, "gsm7", 0, [160], id="160 septets"),
        pytest.param(GSM_161, {}, "gsm7", 0, [153, 8], id="161 septets"),
        pytest.param(GSM_161, {"long_messages": "udh16"}, "gsm7", 0, [152, 9], id="161 septets, 16 bits"),
        pytest.param(GSM_161, {"long_messages": "sar"}, "gsm7", 0, [153, 8], id="161 septets, sar"),
        pytest.param(GSM_161, {"long_messages": "payload"}, "gsm7", 0, [161], id="161 septets, payload"),
        pytest.param(ESCAPES, {}, "gsm7", 0, [160], id="escapes in one part"),
        pytest.param(ESCAPES + "€", {}, "gsm7", 0, [152, 10], id="an escape pair is not cut"),
        pytest.param(UCS_70, {}, "ucs2", 8, [140], id="70 units"),
        pytest.param(UCS_71, {}, "ucs2", 8, [134, 8], id="71 units"),
        pytest.param(UCS_71, {"long_messages": "udh16"}, "ucs2", 8, [132, 10], id="71 units, 16 bits"),
        pytest.param("á" + "😀" * 40, {}, "ucs2", 8, [134, 28], id="surrogate pairs, even"),
        pytest.param("😀" * 40, {}, "ucs2", 8, [132, 28], id="a surrogate pair is not cut"),
        pytest.param("“Olá”", {}, "ucs2", 8, [10], id="look-alikes stay"),
        pytest.param("“Olá”", {"encoding": "smart"}, "gsm7", 0, [5], id="look-alikes replaced"),
        pytest.param("«Šárka» — łódź…", {"encoding": "smart"}, "gsm7", 0, [17], id="more look-alikes"),
        pytest.param("e\u0301a\u0302", {"encoding": "smart"}, "gsm7", 0, [2], id="accents by themselves"),
        pytest.param("ş…", {"encoding": "smart", "national_languages": ["turkish"]}, "ucs2", 8, [4],
                     id="what a national table has stays"),
        pytest.param("Hi", {"encoding": "ucs2"}, "ucs2", 8, [4], id="always UCS-2"),
        pytest.param("ا", {"ucs2_data_coding": 0x18}, "ucs2", 0x18, [2], id="UCS-2 by another name"),
        pytest.param("Hi", {"data_coding": 0xF1}, "gsm7", 0xF1, [2], id="text by another name"),
        pytest.param("é{", {"alphabet": "latin1", "data_coding": 3}, "latin1", 3, [2], id="Latin-1"),
        pytest.param("Δ", {"alphabet": "latin1"}, "ucs2", 8, [2], id="not in Latin-1"),
        pytest.param("á", {"alphabet": "latin1"}, "ucs2", 8, [2], id="in Latin-1, but not on the air"),
        pytest.param("é", {"alphabet": "ascii"}, "ucs2", 8, [2], id="not in ASCII"),
        pytest.param("Δ", {"alphabet": "utf-8"}, "utf-8", 0, [2], id="UTF-8"),
        pytest.param("Δ" * 127, {"alphabet": "utf-8"}, "utf-8", 0, [254], id="UTF-8 fills short_message"),
        pytest.param("Δ" * 128, {"alphabet": "utf-8"}, "utf-8", 0, [248, 8], id="UTF-8, more"),
        pytest.param("Δ" * 128, {"alphabet": "utf-8", "long_messages": "udh16"}, "utf-8", 0, [246, 10],
                     id="UTF-8, 16 bits"),
        pytest.param("Δ" * 128, {"alphabet": "utf-8", "long_messages": "sar"}, "utf-8", 0, [254, 2], id="UTF-8, sar"),
        pytest.param("Δ" * 128, {"alphabet": "utf-8", "long_messages": "payload"}, "utf-8", 0, [256],
                     id="UTF-8, payload"),
        pytest.param("Δ" * 128, {"alphabet": "utf-8", "interface_version": 50}, "utf-8", 0, [248, 8],
                     id="UTF-8, 255 octets"),
        pytest.param(GSM_161, {"alphabet": "utf-8"}, "utf-8", 0, [153, 8], id="UTF-8 that the SMSC makes GSM 7-bit"),
        pytest.param("日" * 100, {"alphabet": "utf-8", "segment_limits": {"utf-8": 140}}, "ucs2", 8, [134, 66],
                     id="carried UTF-8 takes more than UCS-2"),
        pytest.param("ş" + "a" * 132 + "b" * 7, {"alphabet": "utf-8", "segment_limits": {"utf-8": 140}}, "utf-8", 0,
                     [134, 7], id="carried UTF-8"),
        pytest.param("ş" * 140, {"alphabet": "iso8859-9"}, "iso8859-9", 0, [140], id="Latin-5"),
        pytest.param("ş" * 141, {"alphabet": "iso8859-9"}, "iso8859-9", 0, [134, 7], id="Latin-5, two parts"),
        pytest.param("ş" * 141, {"alphabet": "iso8859-9", "long_messages": "udh16"}, "iso8859-9", 0, [133, 8],
                     id="Latin-5, 16 bits"),
        pytest.param("ж", {"alphabet": "iso8859-9"}, "ucs2", 8, [2], id="not in Latin-5"),
        pytest.param("“ş”", {"alphabet": "iso8859-9"}, "ucs2", 8, [6], id="Latin-5 and a look-alike"),
        pytest.param("“ş”", {"alphabet": "iso8859-9", "encoding": "smart"}, "iso8859-9", 0, [3],
                     id="Latin-5 and a look-alike replaced"),
        pytest.param("ş", {"alphabet": "iso8859-9", "encoding": "ucs2"}, "ucs2", 8, [2], id="Latin-5, always UCS-2"),
        pytest.param("жё", {"alphabet": "iso8859-5"}, "iso8859-5", 6, [2], id="Cyrillic"),
        pytest.param("a" * 160, {"alphabet": "iso8859-5"}, "gsm7", 0, [160], id="GSM 7-bit is cheaper than Cyrillic"),
        pytest.param("a" * 140, {"alphabet": "iso8859-5"}, "iso8859-5", 6, [140], id="GSM 7-bit is not cheaper"),
        pytest.param("a" * 160, {"alphabet": "iso8859-9"}, "iso8859-9", 0, [134, 26], id="there is no GSM 7-bit"),
        pytest.param("a" * 160, {"alphabet": "iso8859-9", "data_coding": 3}, "gsm7", 0, [160],
                     id="GSM 7-bit is cheaper than Latin-5"),
        pytest.param("ç" * 160, {"alphabet": "iso8859-9", "data_coding": 3}, "iso8859-9", 3, [134, 26],
                     id="GSM 7-bit would make it a capital"),
        pytest.param("שלום", {"alphabet": "iso8859-8"}, "iso8859-8", 7, [4], id="Hebrew"),
        pytest.param("日本", {"alphabet": "shift_jis"}, "shift_jis", 5, [4], id="Shift JIS"),
        pytest.param("ｱ" * 141, {"alphabet": "shift_jis"}, "shift_jis", 5, [134, 7], id="half-width kana"),
        pytest.param("日" * 68 + "a" * 4, {"alphabet": "shift_jis"}, "shift_jis", 5, [140], id="wide and narrow"),
        pytest.param("日" * 67 + "本" * 67, {"alphabet": "shift_jis"}, "shift_jis", 5, [134, 134], id="wide only"),
        pytest.param("¥", {"alphabet": "shift_jis"}, "ucs2", 8, [2], id="Shift JIS writes it as a backslash"),
        pytest.param("á" * 141, {"alphabet": "latin1", "segment_limits": {"latin1": 140}}, "latin1", 0, [134, 7],
                     id="Latin-1 that is carried"),
        pytest.param("é" * 161, {"alphabet": "latin1", "segment_limits": {"latin1": [160, 150]}}, "latin1", 0,
                     [150, 11], id="Latin-1, both limits"),
        pytest.param(GSM_160, {"segment_limits": {"gsm7": 140}}, "gsm7", 0, [133, 27], id="shorter segments"),
        pytest.param(UCS_70, {"segment_limits": {"ucs2": [60, 50]}}, "ucs2", 8, [100, 40], id="shorter UCS-2"),
        pytest.param(GSM_160, {"alphabet": "gsm7_packed", "segment_limits": {"gsm7_packed": 150}}, "gsm7_packed", 0,
                     [126, 15], id="shorter packed"),
        pytest.param("Hi", {"alphabet": "ucs2"}, "ucs2", 8, [4], id="an SMSC with nothing but UCS-2"),
        pytest.param(GSM_160, {"alphabet": "gsm7_packed"}, "gsm7_packed", 0, [140], id="packed"),
        pytest.param(GSM_161, {"alphabet": "gsm7_packed"}, "gsm7_packed", 0, [134, 8], id="packed, two parts"),
    ],
)  # fmt: skip
def test_cut(text: str, more: dict[str, Any], encoding: str, data_coding: int, lengths: list[int]) -> None:
    found = texts.cut(text, config(**more))
    assert (found.encoding, found.data_coding, [len(part) for part in found.parts]) == (encoding, data_coding, lengths)


@pytest.mark.parametrize(
    ("text", "more", "octets"),
    [
        pytest.param("Hi {€}", {}, "4869201B281B651B29", id="GSM 7-bit"),
        pytest.param("é€😀", {}, "00E920ACD83DDE00", id="UCS-2"),
        pytest.param("é€😀", {"ucs2_order": "little"}, "E900AC203DD800DE", id="UCS-2, little-endian"),
        pytest.param("hello", {"alphabet": "gsm7_packed"}, "E8329BFD06", id="packed"),
        pytest.param("12345678", {"alphabet": "gsm7_packed"}, "31D98C56B3DD70", id="packed, eight septets"),
        pytest.param("1234567", {"alphabet": "gsm7_packed"}, "31D98C56B3DD1A", id="packed, seven septets and a CR"),
        pytest.param("é{", {"alphabet": "latin1"}, "E97B", id="Latin-1"),
    ],
)
def test_octets(text: str, more: dict[str, Any], octets: str) -> None:
    assert texts.cut(text, config(**more)).parts == (bytes.fromhex(octets),)


TURKISH = {"national_languages": ["turkish"]}


@pytest.mark.parametrize(
    ("text", "more", "encoding", "data_coding", "lengths"),
    [
        pytest.param("a" * 160, TURKISH, "gsm7", 0, [160], id="default alphabet"),
        pytest.param("Ş" + "a" * 69, TURKISH, "ucs2", 8, [140], id="UCS-2 takes no more"),
        pytest.param("Ş" + "a" * 153, TURKISH, "gsm7:1:0", 0, [155], id="single shift"),
        pytest.param("Ş" + "a" * 154, {}, "ucs2", 8, [134, 134, 42], id="not switched on"),
        pytest.param("ş" * 155, TURKISH, "gsm7:0:1", 0, [155], id="locking shift"),
        pytest.param("ş" * 151 + "Ğ{", TURKISH, "gsm7:0:1", 0, [154], id="locking shift, standard extension"),
        pytest.param("Ş" + "a" * 154, TURKISH, "gsm7:0:1", 0, [155], id="locking shift saves one septet"),
        pytest.param("Ş" + "a" * 155, TURKISH, "gsm7:1:0", 0, [149, 8], id="two parts either way: the simpler"),
        pytest.param("ç" * 80, TURKISH, "gsm7:0:1", 0, [80], id="a small cedilla stays small"),
        pytest.param("ж" + "ş" * 99, TURKISH, "ucs2", 8, [134, 66], id="not in the tables"),
        pytest.param("ş" * 155, {**TURKISH, "alphabet": "gsm7_packed"}, "gsm7_packed:0:1", 0, [136], id="packed"),
        pytest.param(
            "ş" * 155, {"national_languages": ["spanish", "turkish"], "long_messages": "udh16"}, "gsm7:0:1", 0, [155],
            id="the language that fits",
        ),
    ],
)  # fmt: skip
def test_cut_in_national_languages(
    text: str, more: dict[str, Any], encoding: str, data_coding: int, lengths: list[int]
) -> None:
    found = texts.cut(text, config(**more))
    assert (found.encoding, found.data_coding, [len(part) for part in found.parts]) == (encoding, data_coding, lengths)


@given(text=st.text(st.sampled_from("ab€{}é\n@ç"), max_size=400), wide=st.booleans())
def test_gsm7_parts_are_the_text(text: str, wide: bool) -> None:
    found = texts.cut(text, config(long_messages="udh16" if wide else "udh8"))
    assert "".join(map(gsm7.decode, found.parts)) == text.replace("ç", "Ç")


@given(text=st.text(st.sampled_from("aá€😀👨\u200d👩🇧🇷\u0301"), max_size=300), wide=st.booleans())
def test_ucs2_parts_are_the_text(text: str, wide: bool) -> None:
    found = texts.cut(text, config(encoding="ucs2", long_messages="udh16" if wide else "udh8"))
    assert "".join(part.decode("utf-16-be") for part in found.parts) == text


@given(text=st.text(st.sampled_from("ab€@"), min_size=1, max_size=400))
def test_packed_parts_can_be_read_again(text: str) -> None:
    settings = config(alphabet="gsm7_packed")
    parts = texts.cut(text, settings).parts
    total = len(parts)
    headers = [air.header(air.concatenation(1, total, n, wide=False)) for n in range(1, total + 1)]
    whole = [part if total == 1 else header + part for header, part in zip(headers, parts, strict=True)]
    read_again = [texts.read(mo(octets, 0, 0x40 if total > 1 else 0), settings).text for octets in whole]
    # A text that ends in @ where seven bits are left over cannot be told from one without it.
    assert "".join(read_again) == text or text.endswith("@")


@pytest.mark.parametrize(
    ("wide", "octets"), [(False, "0500032A0201"), (True, "060804012A0201")], ids=["8 bits", "16 bits"]
)
def test_concatenation(wide: bool, octets: str) -> None:
    assert air.header(air.concatenation(0x12A, 2, 1, wide=wide)) == bytes.fromhex(octets)
