"""The words of the gateway accept exactly what the platform's JSON may say, and refuse the rest by the field's name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.clock import to_ms
from chalicelib.messages import Incoming, OptOut, Outgoing, Status, StatusUpdate
from chalicelib.records import (
    EventRecord,
    LaneRecord,
    MessageKey,
    MoEvent,
    OptOutEvent,
    Outcome,
    Piece,
    ReceiptEvent,
    SessionEnd,
    status_fields,
)

UUID = "a86f686f-9168-4dd9-a03e-77f11b265b56"
PLATFORM = {
    "id": 1241244,
    "text": "Love is patient. Love is kind.",
    "to": "+250788123123",
    "to_no_plus": "250788123123",
    "from": "+5582999489287",
    "from_no_plus": "5582999489287",
    "channel": 346,
}


def outgoing(**changes: Any) -> Outgoing:
    """The platform's message, changed; `...` leaves a field out."""
    data = {**PLATFORM, **{name.rstrip("_"): value for name, value in changes.items()}}
    return Outgoing.model_validate({name: value for name, value in data.items() if value is not ...})


def refusal(**changes: Any) -> set[str]:
    """The fields that are complained about."""
    with pytest.raises(ValidationError) as caught:
        outgoing(**changes)
    return {str(error["loc"][0]) for error in caught.value.errors()}


# --- the platform's own message -------------------------------------------------------------------------------------


def test_the_platforms_message_comes_back_as_it_was_written() -> None:
    message = Outgoing.model_validate_json(json.dumps(PLATFORM))
    assert message.model_dump(mode="json", by_alias=True, exclude_defaults=True) == PLATFORM
    assert (message.key, message.from_) == ("1241244", "+5582999489287")


@pytest.mark.parametrize(
    ("given", "key"),
    [
        pytest.param(1241244, "1241244", id="integer"),
        pytest.param("1241244", "1241244", id="digits"),
        pytest.param("  m-7 ", "m-7", id="spaces around"),
        pytest.param(UUID, UUID, id="UUID"),
        pytest.param(0, "0", id="zero"),
        pytest.param(2**70, str(2**70), id="beyond 64 bits"),
        pytest.param("x" * 128, "x" * 128, id="128 characters"),
        pytest.param("повідомлення", "повідомлення", id="letters of any alphabet"),
    ],
)
def test_ids(given: int | str, key: str) -> None:
    assert outgoing(id=given).key == key


@pytest.mark.parametrize(
    "given", [True, 1.5, "", "   ", "x" * 129, "two\nlines", "\x1b[0m", [1], {"a": 1}, 10**130], ids=repr
)
def test_what_is_no_id(given: object) -> None:
    assert refusal(id=given) == {"id"}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        pytest.param({"id": ..., "uuid": UUID}, UUID, id="uuid alone"),
        pytest.param({"id": None, "uuid": UUID}, UUID, id="uuid and a null id"),
        pytest.param({"id": "", "uuid": UUID}, UUID, id="uuid and an empty id"),
        pytest.param({"id": 7, "uuid": UUID}, "7", id="both: the id"),
        pytest.param({"id": 0, "uuid": UUID}, "0", id="zero is an id"),
        pytest.param({"id": 7, "uuid": None}, "7", id="a null uuid"),
    ],
)
def test_a_uuid_stands_in_for_a_missing_id(changes: dict[str, Any], key: str) -> None:
    assert outgoing(**changes).key == key


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(346, 346, id="integer"),
        pytest.param("346", 346, id="digits"),
        pytest.param(UUID, UUID, id="UUID"),
        pytest.param(UUID.upper(), UUID, id="upper case"),
        pytest.param("{" + UUID + "}", UUID, id="braces"),
        pytest.param("urn:uuid:" + UUID, UUID, id="URN"),
        pytest.param(UUID.replace("-", ""), UUID, id="without dashes"),
    ],
)
def test_channels(given: int | str, expected: int | str) -> None:
    assert outgoing(channel=given).channel == expected


@pytest.mark.parametrize("given", [True, False, "", "main", UUID[:-1], "٣٤٦", [346], 3.5], ids=repr)
def test_what_is_no_channel(given: object) -> None:
    assert refusal(channel=given) == {"channel"}


@pytest.mark.parametrize(
    ("given", "iso"),
    [
        pytest.param("2026-03-01T10:11:12Z", "2026-03-01T10:11:12+00:00", id="ISO 8601"),
        pytest.param("2026-03-01T13:11:12.5+03:00", "2026-03-01T10:11:12.500000+00:00", id="zone and fraction"),
        pytest.param("2026-03-01T10:11:12", "2026-03-01T10:11:12+00:00", id="no zone: UTC"),
        pytest.param(1772359872, "2026-03-01T10:11:12+00:00", id="seconds"),
        pytest.param(1772359872.5, "2026-03-01T10:11:12.500000+00:00", id="seconds with a fraction"),
        pytest.param(1772359872500, "2026-03-01T10:11:12.500000+00:00", id="milliseconds"),
        pytest.param("1772359872", "2026-03-01T10:11:12+00:00", id="seconds as text"),
        pytest.param("1772359872500", "2026-03-01T10:11:12.500000+00:00", id="milliseconds as text"),
    ],
)
def test_expiry(given: object, iso: str) -> None:
    found = outgoing(expires_at=given).expires_at
    assert found is not None
    assert to_ms(found) == to_ms(datetime.fromisoformat(iso))


@pytest.mark.parametrize(
    "given", ["soon", "2026-13-01T00:00:00Z", 1e300, float("nan"), float("inf"), True, []], ids=repr
)
def test_what_is_no_expiry(given: object) -> None:
    assert refusal(expires_at=given) == {"expires_at"}


def test_no_expiry() -> None:
    assert outgoing().expires_at is None
    assert outgoing(expires_at=None).expires_at is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(["image/jpeg:https://x.org/a.jpg"], ("image/jpeg:https://x.org/a.jpg",), id="one"),
        pytest.param([], (), id="none"),
        pytest.param(None, (), id="null"),
        pytest.param(..., (), id="missing"),
        pytest.param(["geo:1.5,2.5", "audio/mp3:http://x"], ("geo:1.5,2.5", "audio/mp3:http://x"), id="two, in order"),
    ],
)
def test_attachments(given: object, expected: tuple[str, ...]) -> None:
    assert outgoing(attachments=given).attachments == expected


@pytest.mark.parametrize("given", ["image/jpeg:https://x.org/a.jpg", [1], {"url": "x"}, [None]], ids=repr)
def test_what_is_no_list_of_attachments(given: object) -> None:
    assert refusal(attachments=given) == {"attachments"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(["Yes", "No"], ("Yes", "No"), id="texts"),
        pytest.param([{"text": "Yes", "extra": "x"}, {"type": "location"}], ("Yes", ""), id="RapidPro's objects"),
        pytest.param(None, (), id="null"),
    ],
)
def test_quick_replies(given: object, expected: tuple[str, ...]) -> None:
    assert outgoing(quick_replies=given).quick_replies == expected


@pytest.mark.parametrize("name", ["text", "from", "to_no_plus", "resend", "session_status", "response_to_external_id"])
def test_a_null_is_a_missing_field(name: str) -> None:
    assert outgoing(**{name: None}) == outgoing(**{name: ...})


def test_fields_that_are_new_to_us_do_no_harm() -> None:
    assert outgoing(tps_cost=2, urn="tel:+250788123123", contact={"uuid": "x"}) == outgoing()


@pytest.mark.parametrize(
    ("to", "from_", "expected"),
    [
        pytest.param("+250788123123", "+5582999489287", ("250788123123", "5582999489287"), id="plus"),
        pytest.param("250788123123", "8080", ("250788123123", "8080"), id="no plus"),
        pytest.param("MTN Info", "", ("MTN Info", ""), id="name"),
    ],
)
def test_the_forms_without_plus_are_made_where_they_are_missing(to: str, from_: str, expected: tuple[str, str]) -> None:
    message = outgoing(to=to, from_=from_, to_no_plus=..., from_no_plus=...)
    assert (message.to_no_plus, message.from_no_plus) == expected


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        pytest.param({"id": ...}, {"id"}, id="no id"),
        pytest.param({"to": ...}, {"to"}, id="no recipient"),
        pytest.param({"to": ""}, {"to"}, id="empty recipient"),
        pytest.param({"to": "1" * 256}, {"to"}, id="recipient too long"),
        pytest.param({"to": 250788123123}, {"to"}, id="a number as number: its leading zeros would be lost"),
        pytest.param({"channel": ...}, {"channel"}, id="no channel"),
        pytest.param({"text": 5}, {"text"}, id="text that is none"),
        pytest.param({"resend": "perhaps"}, {"resend"}, id="resend"),
        pytest.param({"id": ..., "to": "", "channel": True}, {"id", "to", "channel"}, id="every bad field is named"),
    ],
)
def test_refusals_name_the_field(changes: dict[str, Any], fields: set[str]) -> None:
    assert refusal(**changes) == fields


@pytest.mark.parametrize("body", ["[]", '"x"', "5", "null"])
def test_what_is_no_object_is_no_message(body: str) -> None:
    with pytest.raises(ValidationError):
        Outgoing.model_validate(json.loads(body))


# --- texts no reader takes ------------------------------------------------------------------------------------------

HALF = "\ud83d"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("a" + HALF, "a\ufffd", id="half an emoji"),
        pytest.param("\ude00b", "\ufffdb", id="the other half"),
        pytest.param("a\x00b", "ab", id="NUL"),
        pytest.param("a😀b", "a😀b", id="a whole one"),
        pytest.param("\n\t\x07", "\n\t\x07", id="other control characters"),
    ],
)
def test_what_no_json_reader_takes_is_mended(given: str, expected: str) -> None:
    assert outgoing(text=given).text == expected
    assert outgoing(quick_replies=[given]).quick_replies == (expected,)
    assert outgoing(attachments=[given]).attachments == (expected,)
    assert Incoming(channel=UUID, sender=given, text=given, external_id=given).text == expected
    assert OptOut(channel=UUID, sender=given).sender == expected
    assert StatusUpdate(channel=UUID, status=Status.SENT, external_id=given).external_id == expected


def test_half_an_emoji_in_the_platforms_json() -> None:
    body = '{"id": 1, "to": "+250788123123", "channel": 346, "text": "broken \\ud83d"}'
    assert Outgoing.model_validate(json.loads(body)).text == "broken \ufffd"


# --- statuses -------------------------------------------------------------------------------------------------------


def test_statuses_rise_and_the_last_two_are_final() -> None:
    by_rank = sorted(Status, key=lambda status: status.rank)
    assert by_rank == [Status.QUEUED, Status.WIRED, Status.SENT, Status.DELIVERED, Status.FAILED]
    assert [status for status in Status if status.final] == [Status.DELIVERED, Status.FAILED]


@pytest.mark.parametrize(
    ("status", "call"),
    [
        pytest.param(Status.QUEUED, None, id="queued"),
        pytest.param(Status.WIRED, None, id="wired"),
        pytest.param(Status.SENT, ("sent", {"id": "7"}), id="sent"),
        pytest.param(Status.DELIVERED, ("delivered", {"id": "7"}), id="delivered"),
        pytest.param(Status.FAILED, ("failed", {"id": "7"}), id="failed"),
    ],
)
def test_the_platforms_call_for_a_status(status: Status, call: tuple[str, dict[str, str]] | None) -> None:
    assert status_fields(status, "7") == call


def test_a_status_update_names_its_message() -> None:
    with pytest.raises(ValidationError, match="needs our message id or the aggregator's external id"):
        StatusUpdate(channel=UUID, status=Status.SENT)


# --- immutable, and whole after a journey ---------------------------------------------------------------------------

KEY = MessageKey(channel=UUID, id="7", generation=2)
INCOMING = Incoming(channel=UUID, sender="+250788123123", text="Ubuntu 😀", attachments=("https://x.org/a",))
EVENTS = [
    Outcome(key=KEY, aggregator="fast", part=1, total=3, accepted=True, external_id="x", at=5),
    Outcome(key=KEY, aggregator="fast", accepted=False, reason="no route", code="7", recorded=True),
    MoEvent(event_id="e", message=INCOMING, aggregator="fast", at=5),
    MoEvent(event_id="e", message=INCOMING, to="8080", piece=Piece(reference=5, total=2, sequence=1, wide=True)),
    MoEvent(
        event_id="e",
        message=INCOMING,
        session="s",
        relay="r",
        ended={"t": (3, 5, 4)},
        octets="gg==",
        udh="00",
        data_coding=0,
    ),
    SessionEnd(session="s", aggregator="fast", doubtful=3, unanswered=5, at=4),
    ReceiptEvent(event_id="e", update=StatusUpdate(channel="", status=Status.FAILED, external_id="x"), aggregator="f"),
    OptOutEvent(event_id="e", optout=OptOut(channel=UUID, sender="+250788123123")),
]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        pytest.param(outgoing(), "text", id="Outgoing"),
        pytest.param(INCOMING, "text", id="Incoming"),
        pytest.param(OptOut(channel=UUID, sender="1"), "sender", id="OptOut"),
        pytest.param(StatusUpdate(channel=UUID, status=Status.SENT, id="7"), "status", id="StatusUpdate"),
        pytest.param(KEY, "id", id="MessageKey"),
        pytest.param(EVENTS[0], "accepted", id="Outcome"),
    ],
)
def test_nobody_changes_a_word(word: Any, name: str) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(word, name, "x")


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event.kind}")
def test_events_travel_whole(event: Any) -> None:
    body = EventRecord(event=event).to_body()
    assert body.isascii()
    assert EventRecord.from_body(body).event == event


ANY_TEXT = st.text(st.characters(exclude_categories=()))  # broken surrogates and NUL included


@given(text=ANY_TEXT, sender=ANY_TEXT)
def test_any_message_travels_as_ascii(text: str, sender: str) -> None:
    message = outgoing(text=text, to=sender[:255].strip("\x00") or "x")
    record = LaneRecord(key=KEY, message=message, aggregator="a", lane="lane-a", first_seen=1, expires_at=2)
    body = record.to_body()
    assert body.isascii()
    assert LaneRecord.from_body(body) == record


def test_a_moment_is_kept_to_the_millisecond_on_its_way() -> None:
    message = outgoing(expires_at="2026-03-01T10:11:12.345+01:00")
    again = Outgoing.model_validate_json(message.model_dump_json(by_alias=True))
    assert again.expires_at == datetime(2026, 3, 1, 9, 11, 12, 345_000, tzinfo=UTC)
