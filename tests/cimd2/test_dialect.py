"""The account's config, and messages as submits."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.config import ConfigError
from chalicelib.messages import Outgoing
from smsc_relay import dialects
from smsc_relay.cimd2.codec import Packet, encode
from smsc_relay.cimd2.config import Cimd2Config
from smsc_relay.cimd2.constants import Operation
from smsc_relay.cimd2.dialect import DIALECT, Subaddresses
from smsc_relay.protocol import CannotEncode, Plan, Role
from tests.cimd2.frames import FRAMES, shown
from tests.cimd2.test_texts import config

REFERENCE = 0x012A
CHANNEL = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"


def plan(text: str = "Hi", to: str = "+447700900123", sender: str = "8080", **more: Any) -> Plan:
    message = Outgoing.model_validate({"id": 1, "text": text, "to": to, "from": sender, "channel": CHANNEL})
    return DIALECT.plan(message, config(**more), REFERENCE)


def written(found: Plan) -> list[dict[int, str]]:
    return [dict(segment.body) for segment in found.segments]


# --- config ---------------------------------------------------------------------------------------------------------


def test_the_least_that_is_needed() -> None:
    found = config()
    assert (found.port, found.window, found.negotiates, found.zone) == (9971, 1, False, None)
    assert found.addresses(Role.TRANSCEIVER) == (("smsc", 9971),)
    assert Cimd2Config.secret_keys() == ("tls_key", "password")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"username": None}, "username: required key is missing", id="no user"),
        pytest.param({"password": None}, "password: required key is missing", id="no password"),
        pytest.param({"username": "x" * 33}, "username: String should have at most 32", id="long user"),
        pytest.param({"password": "a\tb"}, "password: must be printable ASCII", id="TAB in the password"),
        pytest.param({"window": 128}, "window: Input should be less than or equal to 127", id="window"),
        pytest.param({"subaddresses": [10]}, "subaddresses.0: Input should be less", id="subaddress"),
        pytest.param({"subaddresses": [1, 1]}, "subaddresses: must be different", id="twice"),
        pytest.param({"binds": 2, "subaddresses": [0]}, "binds above 1 need as many subaddresses", id="binds"),
        pytest.param({"timezone": "Mars"}, "timezone: must be a time zone", id="time zone"),
        pytest.param({"validity_form": "absolute"}, "needs the timezone", id="absolute without a zone"),
        pytest.param({"validity": 63 * 7 * 86_400 + 1}, "validity: Input should be less", id="validity"),
        pytest.param({"priority": 0}, "priority: Input should be greater", id="priority"),
        pytest.param({"report_mask": 64}, "report_mask: Input should be less", id="mask"),
        pytest.param({"error_classes": {"many": "temporary"}}, "error_classes.many", id="error code"),
        pytest.param({"error_classes": {"9": "later"}}, "error_classes.9: Input should be 'temporary'", id="class"),
        pytest.param({"my_number": "400"}, "my_number: unknown key; this type knows alphanumeric_mo", id="unknown"),
    ],
)
def test_what_cannot_be_used(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        config(**given)
    assert "s3cr3t" not in str(caught.value)


def test_the_type() -> None:
    assert dialects.load("cimd2") is DIALECT
    assert dialects.config_of("CIMD2") is Cimd2Config
    assert DIALECT.name == "CIMD2"
    assert DIALECT.roles(config()) == (Role.TRANSCEIVER,)


@pytest.mark.parametrize(
    ("more", "negotiates"),
    [({"window": 10}, True), ({"window": 10, "window_negotiation": "never"}, False),
     ({"window_negotiation": "always"}, True)],
)  # fmt: skip
def test_negotiation(more: dict[str, Any], negotiates: bool) -> None:
    assert config(**more).negotiates is negotiates


# --- submits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "number", "text", "sender", "more"),
    [
        pytest.param("03 submit text: text `Hi {€}`, alphanumeric sender, finals requested", 3, "Hi {€}", "ACME", {},
                     id="text"),
        pytest.param("03 submit UCS-2 binary: é € U+1F600", 9, "é€\U0001f600", "1234",
                     {"validity": 86_400, "receipts": "none"}, id="UCS-2"),
    ],
)  # fmt: skip
def test_frames(frame: str, number: int, text: str, sender: str, more: dict[str, Any]) -> None:
    (segment,) = plan(text, sender=sender, **more).segments
    assert shown(encode(Packet(Operation.SUBMIT, number, segment.body))) == FRAMES[frame]


def test_a_long_message() -> None:
    found = plan("Part one" + "-" * 145 + "Part two", sender="1234", validity=86_400)
    first, second = written(found)
    assert found.shape == "gsm7/udh8/2"
    assert first == {21: "+447700900123", 23: "1234", 30: "0", 32: "0500032A0201", 33: "Part one" + "-" * 145,
                     50: "167", 56: "14"}  # fmt: skip
    assert (second[32], second[33]) == ("0500032A0202", "Part two")
    assert [segment.total for segment in found.segments] == [2, 2]


def test_a_long_message_of_ucs_2_with_a_wide_reference() -> None:
    first, second = written(plan("ش" * 71, long_messages="udh16", ucs2_data_coding=24))
    assert (first[30], first[32], first[34]) == ("24", "060804012A0201", "0634" * 66)
    assert (second[32], second[34]) == ("060804012A0202", "0634" * 5)
    assert 33 not in first


def test_everything_that_an_account_can_ask_for() -> None:
    more: dict[str, Any] = {
        "data_coding": 16,
        "more_messages": True,
        "validity": 300,
        "protocol_id": 64,
        "reply_path": True,
        "cancel_enabled": False,
        "tariff_class": 12,
        "service_description": 3,
        "priority": 1,
        "report_mask": 62,
        "intermediate": True,
        "characters": "latin1",
        "international": "00",
    }
    assert written(plan("é", **more)) == [
        {21: "00447700900123", 23: "8080", 30: "16", 33: "é", 44: "0", 50: "0", 52: "64", 55: "1", 56: "63", 58: "0",
         64: "12", 65: "3", 67: "1"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "masks"),
    [
        ({}, ["14", "14"]),
        ({"receipts": "last"}, [None, "14"]),
        ({"receipts": "failure"}, ["6", "6"]),
        ({"receipts": "none"}, [None, None]),
        ({"intermediate": True}, ["15", "15"]),
        ({"report_mask": 62}, ["62", "62"]),
    ],
)
def test_status_report_requests(more: dict[str, Any], masks: list[str | None]) -> None:
    found = plan("x" * 161, **more)
    assert [one.get(56) for one in written(found)] == masks
    assert [one.silent for one in found.segments] == [more.get("receipts") == "last", False]


def test_more_messages() -> None:
    assert [one[44] for one in written(plan("x" * 320, more_messages=True))] == ["1", "1", "0"]


def test_what_cannot_be_sent() -> None:
    with pytest.raises(CannotEncode, match="takes 3 segments; max_parts is 2"):
        plan("x" * 320, max_parts=2)
    with pytest.raises(CannotEncode, match="recipient"):
        plan(to="ACME")


def test_a_plan_is_the_same_every_time() -> None:
    assert plan("Muraho ☀" * 20) == plan("Muraho ☀" * 20)


# --- subaddresses ---------------------------------------------------------------------------------------------------


def test_sessions_of_one_account_have_different_subaddresses() -> None:
    pool = Subaddresses()
    assert [pool.take("a", (3, 5)) for _ in range(2)] == [3, 5]
    assert pool.take("b", (3, 5)) == 3
    pool.give_back("a", 3, refused=False)
    assert pool.take("a", (3, 5)) == 3
    assert pool.take("a", (3, 5)) in (3, 5)
    assert pool.take("a", ()) is None
    pool.give_back("a", None, refused=False)


def test_a_subaddress_that_another_process_uses_is_tried_last() -> None:
    pool = Subaddresses()
    found = []
    for _ in range(4):
        taken = pool.take("a", (3, 5, 7))
        found.append(taken)
        pool.give_back("a", taken, refused=True)
    assert found == [3, 5, 7, 3]
    assert pool.take("a", (3, 5, 7)) == 5
    pool.give_back("a", 5, refused=False)
    assert [pool.take("a", (3, 5, 7)) for _ in range(2)] == [5, 7]
