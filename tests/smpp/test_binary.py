"""What is no text, to a phone: octets, user data headers, WAP push, message classes."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from smsc_relay import air, dialects
from smsc_relay.protocol import CannotEncode
from smsc_relay.smpp.constants import ESM_UDHI, Tag
from smsc_relay.smpp.pdus import SubmitSm
from tests.smpp.test_dialect import DIALECT, REFERENCE, config, message, only, plan

PUSH = bytes.fromhex("01060401AE02056A0045C60D0378616D706C652E6F7267000801034869000101")  # service indication
PORTS = "0605040B8423F0"


def octets(data: bytes, udh: str = "", data_coding: int | None = None, **more: Any) -> list[SubmitSm]:
    given = {"data": base64.b64encode(data).decode(), "udh": udh, "data_coding": data_coding}
    found = DIALECT.plan(message("", **given), config(max_parts=255, **more), REFERENCE)
    return [segment.body for segment in found.segments]


def test_a_wap_push() -> None:
    (pdu,) = octets(PUSH, PORTS)
    assert (pdu.esm_class, pdu.data_coding) == (ESM_UDHI, 4)
    assert pdu.short_message == bytes.fromhex(PORTS) + PUSH


def test_octets_alone() -> None:
    (pdu,) = octets(b"\0\xff", data_coding=0xF5)
    assert (pdu.esm_class, pdu.data_coding, pdu.short_message) == (0, 0xF5, b"\0\xff")


@given(
    st.binary(min_size=1, max_size=1000),
    st.sampled_from(["", PORTS]),
    st.sampled_from(["udh8", "udh16", "sar", "payload"]),
    st.sampled_from([4, 8]),
)
def test_parts_hold_the_octets_and_their_header(data: bytes, udh: str, long_messages: str, data_coding: int) -> None:
    joined = b""
    found = octets(data, udh, data_coding, long_messages=long_messages)
    for number, pdu in enumerate(found, 1):
        body = pdu.short_message or pdu.tlv(Tag.MESSAGE_PAYLOAD) or b""
        if pdu.esm_class & ESM_UDHI:
            header = air.header_of(body)
            assert header is not None
            assert header.others == bytes.fromhex(udh)[1:]
            if len(found) > 1:
                assert header.piece is not None
                assert (header.piece.total, header.piece.sequence) == (len(found), number)
            body = body[header.length :]
        else:
            assert not udh
        if long_messages != "payload":
            assert len(pdu.short_message) <= 140
        assert data_coding != 8 or number == len(found) or len(body) % 2 == 0
        joined += body
    assert joined == data
    assert len(found) == 1 or len(data) + len(udh) // 2 > 140


def test_a_header_that_leaves_no_room_is_refused() -> None:
    udh = "857083" + "00" * 131
    assert len(octets(b"x" * 6, udh, long_messages="udh16")) == 1
    with pytest.raises(CannotEncode, match="133 octets leaves no room"):
        octets(b"x" * 7, udh, long_messages="udh16")


def test_the_parts_that_an_smsc_makes_of_a_payload_count() -> None:
    given = {"data": base64.b64encode(bytes(300)).decode()}
    found = DIALECT.plan(message("", **given), config(long_messages="payload"), REFERENCE)
    assert [segment.count for segment in found.segments] == [3]
    with pytest.raises(CannotEncode, match="takes 3 segments; max_parts is 2"):
        DIALECT.plan(message("", **given), config(long_messages="payload", max_parts=2), REFERENCE)


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        pytest.param("now", {}, 0x10, id="flash"),
        pytest.param("now", {"class_coding": "class"}, 0xF0, id="flash, as some SMSCs want it"),
        pytest.param("сейчас", {}, 0x18, id="flash in UCS-2"),
        pytest.param("сейчас", {"class_coding": "class"}, 0x18, id="which has one form only"),
        pytest.param("now", {"message_class": 2}, 0x12, id="to the SIM"),
    ],
)
def test_classes(text: str, settings: dict[str, Any], expected: int) -> None:
    assert only(plan(text, **{"message_class": 0, **settings})).data_coding == expected


def test_a_message_has_its_own_class() -> None:
    def coding(settings: dict[str, Any], **more: Any) -> int:
        return only(DIALECT.plan(message("now", **more), config(**settings), REFERENCE)).data_coding

    assert coding({}, message_class=0) == 0x10
    assert coding({"message_class": 0}, message_class=1) == 0x11
    assert coding({"message_class": 0}) == 0x10
    assert coding({}) == 0
    assert coding({"message_class": 0}, data="eA==") == 4, "the account's is for texts"
    assert coding({}, data="eA==", message_class=1) == 0x15


def test_a_number_that_has_no_class_is_named() -> None:
    with pytest.raises(CannotEncode, match="data_coding 6 has no message class"):
        DIALECT.plan(message("сейчас", message_class=0), config(alphabet="iso8859-5"), REFERENCE)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": "?"}, "must be octets in Base64"),
        ({"data": "AA==", "udh": "0605"}, "must begin with the number of octets that follow"),
        ({"data": "AA==", "udh": "xy"}, "must be a user data header in hex"),
        ({"udh": PORTS}, "those of data, which is missing"),
        ({"data": "AA==", "data_coding": 256}, "less than or equal to 255"),
        ({"message_class": 4}, "less than or equal to 3"),
    ],
)
def test_what_is_wrong_is_said(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        message("", **fields)


@pytest.mark.parametrize("protocol", ["UCP", "CIMD2"])
def test_other_protocols_refuse_octets(protocol: str) -> None:
    """An empty text in their place would be worse."""
    names = {"host": "smsc", "login": "i", "username": "i", "password": "p"}
    known = dialects.config_of(protocol)
    settings = known.read({name: value for name, value in names.items() if name in known.model_fields})
    with pytest.raises(CannotEncode, match="only links over SMPP"):
        dialects.load(protocol).plan(message("", data="AA=="), settings, REFERENCE)
