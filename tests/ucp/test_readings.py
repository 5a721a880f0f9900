"""Receipts, texts, addresses and errors as SMSCs write them; and the config."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from typing import Any

import pytest

from chalicelib.channels.config import ConfigError
from chalicelib.messages import Status
from chalicelib.records import Piece
from smsc_relay import dialects
from smsc_relay.protocol import Role
from smsc_relay.ucp import address, receipts, texts, times
from smsc_relay.ucp.config import UcpConfig
from smsc_relay.ucp.constants import ERRORS, REASONS, EcClass, error_class, error_name
from smsc_relay.ucp.operations import Message
from tests.ucp.frames import NOTIFIED

ACCOUNT: dict[str, Any] = {"host": "10.64.10.20", "username": "1234", "password": "s3cr3t"}


def config(**more: Any) -> UcpConfig:
    return UcpConfig.read({**ACCOUNT, **more})


# --- receipts -------------------------------------------------------------------------------------------------------


def notification(**more: str) -> Message:
    fields = {"adc": "1234", "oadc": "447700900123", "scts": "310126093000", "dst": "0", "rsn": "000", "mt": "3"}
    return Message(53, **{**fields, **more})


def in_hex(text: str) -> str:
    return text.encode("ascii").hex()


@pytest.mark.parametrize(
    ("sm", "expected"),
    [
        pytest.param("447700900123:310126093000", "0900123:310126093000", id="as specified"),
        pytest.param("00447700900123:310126093000", "0900123:310126093000", id="00"),
        pytest.param("+447700900123:310126093000", "0900123:310126093000", id="plus"),
        pytest.param("07700900123:310126093000", "0900123:310126093000", id="national"),
        pytest.param(" 447700900123 : 310126093000 ok", "0900123:310126093000", id="spaces and more"),
        pytest.param(":310126093000", "0900123:310126093000", id="no number"),
        pytest.param("310126093000", "0900123:310126093000", id="the stamp alone"),
        pytest.param("", "", id="empty"),
        pytest.param("OK", "", id="a word"),
    ],
)
def test_names_in_results(sm: str, expected: str) -> None:
    assert receipts.result_id(sm, "447700900123", config()) == expected


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="fields"),
        pytest.param({"oadc": "00447700900123"}, id="00"),
        pytest.param({"oadc": "07700900123"}, id="national"),
        pytest.param({"scts": "", "msg": NOTIFIED}, id="text"),
        pytest.param({"scts": "", "oadc": "", "msg": NOTIFIED}, id="all in the text"),
        pytest.param({"scts": "x", "msg": NOTIFIED}, id="no stamp"),
        pytest.param({"scts": "", "mt": "4", "msg": NOTIFIED}, id="transparent text"),
        pytest.param({"oadc": "", "msg": NOTIFIED}, id="no recipient"),
    ],
)
def test_a_notification_has_the_same_name(more: dict[str, str]) -> None:
    found = receipts.read(notification(**more), config())
    assert found.external_id == receipts.result_id("447700900123:310126093000", "447700900123", config())
    assert (found.status, found.fault) == (Status.DELIVERED, "")


def test_a_text_of_the_operators_own() -> None:
    own = config(receipt_pattern=r"SMS an (?P<phone>\d+) \((?P<stamp>\d{12})\)")
    told = notification(scts="", msg=in_hex("SMS an 447700900123 (260131093000) wurde zugestellt"))
    assert receipts.read(told, own).external_id == "0900123:310126093000"
    assert receipts.read(told, config()).external_id == ""


@pytest.mark.parametrize(
    ("dst", "rsn", "status", "code", "reason"),
    [
        ("0", "000", Status.DELIVERED, "", ""),
        ("0", "107", Status.DELIVERED, "", ""),
        ("1", "107", Status.SENT, "107", "absent subscriber"),
        ("2", "107", Status.FAILED, "107", "absent subscriber"),
        ("2", "10", Status.FAILED, "10", "network time-out"),
        ("2", "", Status.FAILED, "", "unknown reason"),
        ("2", "999", Status.FAILED, "999", "unknown reason"),
        ("2", "x", Status.FAILED, "x", "unknown reason"),
    ],
)
def test_states(dst: str, rsn: str, status: Status, code: str, reason: str) -> None:
    found = receipts.read(notification(dst=dst, rsn=rsn), config())
    assert (found.status, found.code, found.reason) == (status, code, reason)


@pytest.mark.parametrize("dst", ["", "3", "x"])
def test_no_state(dst: str) -> None:
    found = receipts.read(notification(dst=dst), config())
    assert found.status is None
    assert found.fault


@pytest.mark.parametrize("msg", ["", "zz", in_hex("delivered"), in_hex("Message for you")])
def test_no_name(msg: str) -> None:
    found = receipts.read(notification(scts="", msg=msg), config())
    assert found.external_id == ""
    assert found.fault


@pytest.mark.parametrize(
    ("dscts", "zone", "at"),
    [
        ("310126093105", "UTC", 1_769_851_865_000),
        ("310126123105", "+03:00", 1_769_851_865_000),
        ("3101260931", "UTC", 1_769_851_860_000),
        ("", "UTC", None),
        ("320126093105", "UTC", None),
        ("today", "UTC", None),
    ],
)
def test_when(dscts: str, zone: str, at: int | None) -> None:
    assert receipts.read(notification(dscts=dscts), config(timezone=zone)).at == at


def test_how_many_digits_count() -> None:
    assert receipts.external_id("447700900123", "310126093000", config(match_digits=9)) == "700900123:310126093000"
    assert receipts.external_id("123", "310126093000", config()) == "123:310126093000"


@pytest.mark.parametrize(
    ("seconds", "zone", "expected"),
    [(60, UTC, "3101260933"), (55, UTC, "3101260932"), (3600, timezone(timedelta(hours=-10)), "3101260032")],
)
def test_minutes_are_never_too_early(seconds: int, zone: timezone, expected: str) -> None:
    assert times.minute_after(seconds, 1_769_851_865_000, zone) == expected


# --- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "text", "octets"),
    [
        pytest.param({"mt": "3", "msg": "4869201B281B651B29"}, "Hi {€}", "", id="GSM"),
        pytest.param({"mt": "3", "msg": "48e9".upper()}, "H\xe9", "SOk=", id="a high bit"),
        pytest.param({"mt": "", "msg": "4869"}, "Hi", "", id="no MT"),
        pytest.param({"mt": "2", "msg": "12345"}, "12345", "", id="digits"),
        pytest.param({"mt": "4", "nb": "0064", "msg": "00E920ACD83DDE00", "xser": "020108"}, "é€😀", "", id="UCS-2"),
        pytest.param({"mt": "4", "msg": "00E9", "xser": "020119"}, "é", "", id="UCS-2 with a class"),
        pytest.param({"mt": "4", "msg": "00E9", "xser": "0201E0"}, "é", "", id="UCS-2, message waiting"),
        pytest.param({"mt": "4", "msg": "00E920", "xser": "020108"}, "é", "AOkg", id="UCS-2, odd"),
        pytest.param({"mt": "4", "nb": "8", "msg": "41"}, "A", "QQ==", id="binary"),
        pytest.param({"mt": "4", "msg": "41", "xser": "020104"}, "A", "QQ==", id="binary by DCS"),
        pytest.param({"mt": "3", "msg": "4869", "xser": "020110"}, "Hi", "", id="flash"),
        pytest.param({"mt": "3", "msg": "4869", "xser": "0201F0"}, "Hi", "", id="flash, the other way"),
        pytest.param({"mt": "4", "nb": "35", "msg": "E8329BFD06", "xser": "020100"}, "hello", "", id="packed"),
        pytest.param({"mt": "4", "nb": "40", "msg": "E8329BFD06", "xser": "020100"}, "hello", "", id="packed, octets"),
        pytest.param({"mt": "4", "nb": "40", "msg": "68656C6C6F", "xser": "020100"}, "hello", "", id="not packed"),
        pytest.param({"mt": "3", "msg": "1B5369", "xser": "010403240101"}, "Şi", "", id="Turkish table"),
    ],
)  # fmt: skip
def test_texts(fields: dict[str, str], text: str, octets: str) -> None:
    read = texts.read(Message(52, **fields), config())
    assert (read.text, read.octets, read.fault) == (text, octets, "")


@pytest.mark.parametrize(("kind", "text"), [("ucs2", "é"), ("gsm7", "@£"), ("binary", "\ufffd")])
def test_transparent_data_without_a_coding(kind: str, text: str) -> None:
    msg = {"ucs2": "00E9", "gsm7": "0001", "binary": "E9"}[kind]
    assert texts.read(Message(52, mt="4", msg=msg), config(mo_transparent=kind)).text == text


@pytest.mark.parametrize(
    ("fields", "piece"),
    [
        pytest.param({"mt": "3", "msg": "4869", "xser": "01060500032A0201"}, (42, 2, 1, False), id="8 bits"),
        pytest.param({"mt": "3", "msg": "4869", "xser": "0107060804012A0202"}, (298, 2, 2, True), id="16 bits"),
        pytest.param({"mt": "4", "msg": "0500032A02014869"}, (42, 2, 1, False), id="header in the message"),
        pytest.param({"mt": "3", "msg": "4869", "xser": "01060500032A0203"}, None, id="third of two"),
        pytest.param({"mt": "3", "msg": "4869", "xser": "010706050415820000"}, None, id="ports"),
    ],
)
def test_pieces(fields: dict[str, str], piece: Any) -> None:
    read = texts.read(Message(52, **fields), config(mo_transparent="gsm7"))
    expected = None if piece is None else Piece(reference=piece[0], total=piece[1], sequence=piece[2], wide=piece[3])
    assert (read.piece, read.text, read.fault) == (expected, "Hi", "")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"mt": "4", "nb": "16", "msg": "0606", "xser": "01070605040B84C0020201F5"},
                     ("BgY=", "", "0605040B84C002", 0xF5), id="WAP push"),
        pytest.param({"mt": "4", "nb": "16", "msg": "0606", "xser": "010C0B05040B84C00200030202010201F5"},
                     ("BgY=", "binary", "0605040B84C002", 0xF5), id="a part of it"),
        pytest.param({"mt": "4", "nb": "16", "msg": "0606"}, ("BgY=", "", "", 4), id="binary, no coding"),
        pytest.param({"mt": "3", "msg": "4869", "xser": "010706050423F40000"}, ("SGk=", "", "06050423F40000", 0),
                     id="a text to a port"),
        pytest.param({"mt": "3", "msg": "351B", "xser": "0106050003020201"}, ("NRs=", "gsm7", "", 0),
                     id="a part that ends with an escape"),
        pytest.param({"mt": "4", "nb": "14", "msg": "B50D", "xser": "01060500030202010201F1"},
                     ("NRs=", "gsm7", "", 0xF1), id="of packed septets"),
        pytest.param({"mt": "4", "nb": "16", "msg": "D83D", "xser": "0106050003020201020108"},
                     ("2D0=", "utf-16-be", "", 8), id="a part that ends with half a character"),
        pytest.param({"mt": "4", "nb": "16", "msg": "D83D"}, ("2D0=", "", "", 8), id="half a character, no coding"),
    ],
)  # fmt: skip
def test_what_a_text_does_not_say(fields: dict[str, str], expected: tuple[Any, ...]) -> None:
    settings = config(mo_transparent="ucs2") if fields["msg"] == "D83D" else config()
    read = texts.read(Message(52, **fields), settings)
    assert (read.octets, read.charset, read.udh, read.data_coding) == expected
    assert read.fault == ""


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"mt": "3", "msg": "4869zz"}, "not in hex"),
        ({"mt": "3", "msg": "48 69"}, "not in hex"),
        ({"mt": "3", "msg": "4869", "xser": "0106050003"}, "XSer"),
        ({"mt": "3", "msg": "4869", "xser": "02"}, "XSer"),
        ({"mt": "3", "msg": "4869", "xser": "x"}, "XSer"),
        ({"mt": "3", "msg": "4869", "xser": "01030600032A"[:10]}, "user data header"),
    ],
)
def test_faults(fields: dict[str, str], fault: str) -> None:
    read = texts.read(Message(52, **fields), config())
    assert fault in read.fault
    assert read.text


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("oadc", "expected"),
    [
        ("07C161B308", "ACME"),
        ("09E8329BFD06", "hello"),
        ("0D31D98C56B3DD00", "1234567"),
        ("0E31D98C56B3DD00", "1234567"),
        ("10412614190438AB4D", "ALPHA@NUM"),
        ("14CDFCF0DD8687DDF9980C", "MyCompany12"),
        ("", ""),
        ("1", ""),
        ("ACME!", ""),
    ],
)
def test_names(oadc: str, expected: str) -> None:
    assert address.named(oadc) == expected


@pytest.mark.parametrize(
    ("oadc", "otoa", "expected"),
    [
        pytest.param("250788123123", "", "+250788123123", id="digits"),
        pytest.param("00250788123123", "", "+250788123123", id="00"),
        pytest.param("0788123123", "", "+250788123123", id="national"),
        pytest.param("250788123123", "1139", "+250788123123", id="international"),
        pytest.param("8080", "", "8080", id="short"),
        pytest.param("8080", "5039", "8080", id="digits, called a name"),
        pytest.param("07C161B308", "5039", "ACME", id="name"),
        pytest.param("ACME", "", "ACME", id="plain name"),
        pytest.param("", "", "", id="nothing"),
    ],
)
def test_phones(oadc: str, otoa: str, expected: str) -> None:
    assert address.phone(oadc, otoa, config(country="RW")) == expected


# --- errors ---------------------------------------------------------------------------------------------------------


def test_every_error_has_a_class() -> None:
    temporary = {code for code in range(100) if error_class(code) is EcClass.TEMPORARY}
    assert temporary == {1, 37, 50, 54, 55}
    assert [code for code in range(100) if error_class(code) is EcClass.ACCOUNT] == [7]
    assert error_name(6) == "AdC invalid"
    assert error_name(29) == "unknown error"


def test_the_tables_are_complete() -> None:
    some = {50, 51, 53, 54, 55, 57, 58, 59, 61, 62, 63, 64, 65, 66, 68, 69}
    assert set(ERRORS) == {*range(1, 29), *range(30, 39), *some, *range(90, 100)}
    assert set(REASONS) == {*range(11), *range(100, 128), *range(200, 209)}


# --- config ---------------------------------------------------------------------------------------------------------


def test_the_least_that_is_needed() -> None:
    found = UcpConfig.read({"host": "smsc"})
    assert (found.port, found.window, found.username, found.operation, found.alert_address) == (5000, 10, "", "51", "")
    assert found.addresses(Role.TRANSCEIVER) == (("smsc", 5000),)


def test_the_type() -> None:
    assert dialects.load("ucp").name == "UCP"
    assert dialects.config_of("UCP") is UcpConfig
    assert UcpConfig.secret_keys() == ("tls_key", "password")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"window": 101}, "window: Input should be less than or equal to 100", id="window"),
        pytest.param({"username": "il/ha"}, "username: must be printable ASCII", id="username"),
        pytest.param({"password": "a/b", "login_encoding": "plain"}, "password must be printable", id="plain"),
        pytest.param({"username": ""}, "password needs username", id="password alone"),
        pytest.param({"password": "пароль"}, "password has a character that is not GSM", id="password"),
        pytest.param({"login_ton": "11"}, "login_ton: Input should be", id="TON"),
        pytest.param({"substitutions": {"5E": "XX"}}, "must be septets in hex", id="no hex"),
        pytest.param({"substitutions": {"5E": "80"}}, "must be septets in hex", id="no septet"),
        pytest.param({"substitutions": {"5E": "5D", "5F": "5D"}}, "two septets as one", id="ambiguous"),
        pytest.param({"receipt_pattern": "("}, "is no regular expression", id="pattern"),
        pytest.param({"receipt_pattern": "x"}, "needs the groups", id="groups"),
        pytest.param({"throttled_text": "("}, "is no regular expression", id="throttled"),
        pytest.param({"extra_services": "0C02"}, "cut short", id="short XSer"),
        pytest.param({"extra_services": "zz"}, "must be hex", id="XSer"),
        pytest.param({"timezone": "Mars"}, "must be a time zone", id="zone"),
        pytest.param({"rx_port": 5001}, "rx_host and rx_port are for bind: pair", id="receiver"),
        pytest.param({"operation": "01", "validity": 60}, "validity is nothing that operation 01", id="validity"),
        pytest.param({"operation": "30", "national_languages": ["turkish"]}, "nothing that operation 30", id="tables"),
        pytest.param({"operation": "30", "encoding": "ucs2"}, "encoding ucs2 needs operation 51", id="UCS-2"),
        pytest.param({"national_languages": ["turkish"], "long_messages": "smsc"}, "needs long_messages", id="cut"),
        pytest.param({"notification_addr": "1234"}, "need each other", id="NAdC alone"),
        pytest.param({"error_classes": {0: "temporary"}}, "error_classes", id="code 0"),
        pytest.param({"decline_error": 100}, "decline_error", id="code 100"),
    ],
)
def test_bad_settings(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**given)
    assert message in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_pair() -> None:
    found = config(bind="pair", rx_host="mo", rx_port=5001)
    assert found.addresses(Role.TRANSMITTER) == (("10.64.10.20", 5000),)
    assert found.addresses(Role.RECEIVER) == (("mo", 5001),)
    assert dialects.load("UCP").roles(found) == (Role.TRANSMITTER, Role.RECEIVER)


def test_numbers_where_text_is_asked_for() -> None:
    assert config(operation=1).operation == "01"
    found = config(username=1234, operation=51, priority=1, error_classes={"54": "permanent"})
    assert (found.username, found.operation, found.priority, found.error_classes) == ("1234", "51", "1",
                                                                                      {54: "permanent"})  # fmt: skip
