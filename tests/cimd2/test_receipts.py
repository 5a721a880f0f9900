"""Status reports, the names of messages, and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.clock import to_ms
from chalicelib.messages import Status
from smsc_relay.cimd2 import receipts, times
from smsc_relay.cimd2.codec import Packet, decode
from smsc_relay.cimd2.constants import DELIVERY_NAMES, ERRORS, Error, ErrorClass, error_class, error_name
from smsc_relay.cimd2.receipts import Receipt, external_id
from tests.cimd2.frames import FRAMES, octets
from tests.cimd2.test_texts import config

NAME = "700900123-260131093000"


def read(*given_parameters: tuple[int, str], **more: Any) -> Receipt:
    key = ((21, "+447700900123"), (60, "260131093000"))
    return receipts.read(Packet(23, 0, (*key, *given_parameters)), config(**more))


def test_delivered() -> None:
    packet = decode(octets(FRAMES["23 status report: delivered"]))
    assert receipts.read(packet, config()) == Receipt(NAME, Status.DELIVERED, "delivery successful")
    at = to_ms(datetime(2026, 1, 31, 6, 31, 5, tzinfo=UTC))
    assert receipts.read(packet, config(timezone="+03:00")).at == at


def test_failed() -> None:
    packet = decode(octets(FRAMES["23 status report failed: absent subscriber"]))
    assert receipts.read(packet, config()) == Receipt(
        NAME, Status.FAILED, "delivery failed: absent subscriber", "29"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "status"),
    [(1, Status.SENT), (2, Status.FAILED), (3, Status.FAILED), (4, Status.DELIVERED), (5, Status.SENT),
     (6, Status.FAILED), (7, Status.FAILED), (8, Status.FAILED), (9, Status.FAILED)],
)  # fmt: skip
def test_status_codes(code: int, status: Status) -> None:
    found = read((61, str(code)))
    assert (found.status, found.reason, found.fault) == (status, DELIVERY_NAMES[code], "")


@pytest.mark.parametrize(
    ("given_parameters", "more", "receipt"),
    [
        pytest.param(((61, "6"),), {"receipt_states": {6: "sent"}}, Receipt(NAME, Status.SENT, "last no response"),
                     id="of the account"),
        pytest.param(((61, "1"),), {"receipt_states": {"1": "ignored"}}, Receipt(NAME, None, "in process"),
                     id="ignored"),
        pytest.param(((61, "77"),), {}, Receipt(NAME, Status.WIRED, "status 77",
                     fault="a status report with the unknown status 77"), id="unknown"),
        pytest.param(((61, "3"), (62, "250")), {}, Receipt(NAME, Status.FAILED, "delivery failed: error 250", "250"),
                     id="unknown error"),
        pytest.param((), {}, Receipt(NAME, None, fault="a status report without a status"), id="no status"),
        pytest.param(((61, "04"), (63, "269931093105")), {"timezone": "UTC"},
                     Receipt(NAME, Status.DELIVERED, "delivery successful"), id="padded, and a time that is none"),
    ],
)  # fmt: skip
def test_odd_reports(given_parameters: Any, more: dict[str, Any], receipt: Receipt) -> None:
    assert read(*given_parameters, **more) == receipt


def test_a_report_without_a_key() -> None:
    found = receipts.read(Packet(23, 0, ((21, "+447700900123"), (61, "4"))), config())
    assert (found.external_id, found.fault) == ("", "a status report without a time stamp")


@pytest.mark.parametrize("written", ["+447700900123", "447700900123", "00447700900123", "07700900123", "7700900123"])
def test_a_message_has_one_name_however_its_destination_is_written(written: str) -> None:
    assert external_id(written, "260131093000") == NAME


def test_names_differ() -> None:
    assert external_id("+447700900124", "260131093000") != NAME
    assert external_id("+447700900123", "260131093001") != NAME
    assert external_id("8080", "260131093000") == "8080-260131093000"


# --- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "value"),
    [(1, 0), (300, 0), (301, 1), (43_200, 143), (43_201, 144), (86_400, 167), (86_401, 168), (2 * 86_400, 168),
     (30 * 86_400, 196), (30 * 86_400 + 1, 197), (63 * 7 * 86_400, 255)],
)  # fmt: skip
def test_periods(seconds: int, value: int) -> None:
    assert times.relative(seconds) == value


def _minutes(value: int) -> int:
    if value <= 143:
        return (value + 1) * 5
    if value <= 167:
        return 720 + (value - 143) * 30
    return (value - 166) * 1440 if value <= 196 else (value - 192) * 10_080


@given(st.integers(1, times.LONGEST))
def test_a_period_is_the_shortest_that_is_long_enough(seconds: int) -> None:
    value = times.relative(seconds)
    assert _minutes(value) * 60 >= seconds
    assert value == 0 or _minutes(value - 1) * 60 < seconds


def test_moments() -> None:
    zone = timezone(timedelta(hours=-5))
    at = to_ms(datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
    assert times.absolute(at, zone) == "260131043000"
    assert times.moment("260131043000", zone) == at
    assert [times.moment(text, zone) for text in ("", "2601310430", "26013104300x", "260230043000")] == [None] * 4


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [(1, "SESSION"), (2, "PERMANENT"), (4, "SESSION"), (5, "TEMPORARY"), (6, "TEMPORARY"), (9, "TEMPORARY"),
     (10, "THROTTLED"), (100, "ACCOUNT"), (102, "SESSION"), (105, "ACCOUNT"), (300, "PERMANENT"), (310, "PERMANENT"),
     (324, "ACCOUNT"), (777, "PERMANENT")],
)  # fmt: skip
def test_classes_of_errors(code: int, kind: str) -> None:
    assert error_class(code) is ErrorClass[kind]


def test_names_of_errors() -> None:
    assert error_name(300) == "incorrect destination address"
    assert error_name(777) == "error 777"
    assert set(Error) - {Error.NONE} <= set(ERRORS)
