"""What channel types inherit, on a type made for the test."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from chalicelib import channels
from chalicelib.channels.base import (
    DELIVERED,
    ERRORED,
    FAILED,
    IGNORED,
    SENT,
    BadRequest,
    ChannelConfig,
    Flag,
    Forbidden,
    HttpChannel,
    Ignored,
    IncomingPiece,
    Part,
    Reply,
    Request,
    Secret,
    Text,
    Url,
    message_id,
    route,
)
from chalicelib.channels.config import ConfigError
from chalicelib.channels.parts import international, our_part, part_of, piece, short_name
from chalicelib.channels.request import Event, MethodNotAllowed, rfc3339, urn
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from chalicelib.outcomes import Accepted
from chalicelib.records import Piece
from chalicelib.text import segments
from tests.channels.support import MESSAGE, UUID, Record, message, request


class Sketch(HttpChannel):
    """A type with a bit of everything."""

    code = "SK"
    name = "Sketch"
    max_length = 20
    statuses = {"D": DELIVERED, 1: SENT, "F": FAILED, "E": ERRORED, "I": IGNORED}

    class Config(ChannelConfig):
        """Keys of the sketch."""

        user: Text = "u"
        password: Secret
        second: Secret | None = None
        site: Url = "https://x.org"
        flag: Flag = False

    config: Config

    @route("GET POST", "one", "uno")
    def on_one(self, request: Request) -> Incoming:
        """One message."""
        return self.incoming(request.form().get("from"), request.form().get("text"))

    @route("POST", "batch")
    def on_batch(self, request: Request) -> list[Event]:
        """Statuses separated by commas."""
        raw = request.form().get("s").split(",")
        return self.each(filter(None, raw), lambda one: self.update(one, external_id="x"))

    @route("POST", "raise")
    def on_raise(self, request: Request) -> Reply:
        """What the query asks for."""
        raise {"bad": BadRequest("bad <x>", ["field 'a' required"]), "ignored": Ignored("no need"),
               "401": Forbidden("who?", 401), "403": Forbidden("no")}[
                   request.query.get("what")]  # fmt: skip

    @route("POST", "own")
    def on_own(self, request: Request) -> Reply:
        """A reply of its own."""
        return Reply(201, b"000", "text/plain")

    @route("POST", "empty")
    def on_empty(self, request: Request) -> list[Event]:
        """Nothing."""
        return []

    def send(self, part: Part, http: Any) -> Accepted:
        """Not sent."""
        return Accepted()


class Child(Sketch):
    """A type that differs in two actions."""

    code = "SC"

    @route("PUT", "own")
    def on_put(self, request: Request) -> Reply:
        """A second method."""
        return Reply(202)

    def on_one(self, request: Request) -> Incoming:
        """The same routes with another behaviour."""
        return self.incoming("0700111222", "child")


def sketch(kind: type[Sketch] = Sketch, address: str = "20990", **config: Any) -> Sketch:
    numbers = iter(range(1, 100))
    settings = kind.Config.read({"password": "p", **config})
    return kind(Record(kind.code, address=address), settings, "https://sms.example.org/", lambda: f"ev-{next(numbers)}")


# --- routes ---------------------------------------------------------------------------------------------------------


def test_routes_are_inherited() -> None:
    assert Sketch.routes()["uno"] == ("GET", "POST")
    assert Child.routes()["own"] == ("POST", "PUT")
    assert sketch(Child).receive(request("SC", "own", method="PUT")).status == 202
    (event,) = sketch(Child).receive(request("SC", "one")).events
    assert isinstance(event, Incoming)
    assert event.text == "child"
    with pytest.raises(MethodNotAllowed, match="use GET or POST"):
        sketch().receive(request("SK", "one", method="PUT"))


def test_a_reply_of_its_own_is_left_alone() -> None:
    reply = sketch().receive(request("SK", "own"))
    assert (reply.status, reply.body, reply.content_type) == (201, b"000", "text/plain")


@pytest.mark.parametrize(
    ("what", "status", "kind", "body"),
    [
        ("bad", 400, "refused", '{"message":"Error","data":[{"type":"error","error":"bad \\u003cx\\u003e"},'
                                '{"type":"error","error":"field \'a\' required"}]}\n'),
        ("ignored", 200, "ignored", '{"message":"Ignored","data":[{"type":"info","info":"no need"}]}\n'),
        ("401", 401, "forbidden", '{"message":"Unauthorized","data":[{"type":"error","error":"who?"}]}\n'),
        ("403", 403, "forbidden", '{"message":"Forbidden","data":[{"type":"error","error":"no"}]}\n'),
    ],
)  # fmt: skip
def test_standard_replies(what: str, status: int, kind: str, body: str) -> None:
    reply = sketch().receive(request("SK", "raise", query=f"what={what}"))
    assert (reply.status, reply.kind, reply.body.decode()) == (status, kind, body)
    assert reply.reason


def test_nothing_to_do_is_ignored() -> None:
    assert sketch().receive(request("SK", "empty")).kind == "ignored"


def test_events_and_ids_go_together() -> None:
    with pytest.raises(ValueError, match="1 events need as many ids, not 0"):
        Reply(events=(OptOut(channel=UUID, sender="1"),))


def test_event_ids_are_uuids_unless_told_otherwise() -> None:
    channel = Sketch(Record("SK"), Sketch.Config.read({"password": "p"}), "https://x.org")
    (name,) = channel.receive(request("SK", "one", {"from": "0700111222"})).ids
    assert str(uuid.UUID(name)) == name


# --- events ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("D", "delivered"), (1, "sent"), ("F", "failed"), ("E", "failed")],
)
def test_what_statuses_mean(raw: str | int, expected: str) -> None:
    update = sketch().update(raw, external_id="x")
    assert update.status.value == expected
    assert update.code == (raw if expected == "failed" else "")


@pytest.mark.parametrize("raw", ["d", "1", 2, "", "X" * 500])
def test_unknown_statuses_are_named(raw: str | int) -> None:
    with pytest.raises(BadRequest, match="unknown status") as caught:
        sketch().update(raw, external_id="x")
    assert len(caught.value.reason) < 100


def test_unknown_statuses_can_have_a_meaning() -> None:
    class Lenient(Sketch):
        """Takes anything."""

        unknown_status = IGNORED

    with pytest.raises(Ignored):
        sketch(Lenient).meaning("X")


def test_a_status_names_its_message() -> None:
    with pytest.raises(BadRequest, match="neither our message id nor"):
        sketch().update("D")


@pytest.mark.parametrize(
    ("raw", "retry", "expected"),
    [("D,F", False, ["delivered", "failed"]), ("I,D,I", False, ["delivered"]), ("E,D", True, ["delivered"]),
     ("I,I", False, None), ("", False, None)],
)  # fmt: skip
def test_batches(raw: str, retry: bool, expected: list[str] | None) -> None:
    reply = sketch(retry_errored=retry).receive(request("SK", "batch", {"s": raw}))
    assert reply.status == 200
    assert reply.kind == ("accepted" if expected else "ignored")
    assert [event.status.value for event in reply.events if isinstance(event, StatusUpdate)] == (expected or [])
    assert reply.ids == tuple(f"ev-{n}" for n, _ in enumerate(expected or [], 1))


def test_one_bad_item_rejects_the_batch() -> None:
    reply = sketch().receive(request("SK", "batch", {"s": "D,?"}))
    assert (reply.status, reply.events) == (400, ())


@pytest.mark.parametrize(
    ("raw", "policy", "expected"),
    [
        ("0700 111-222", "drop", "+254700111222"),
        ("40404", "drop", "40404"),
        (" MTN Info ", "deliver", "MTN Info"),
        ("بنك", "deliver", "بنك"),
        ("MTN", "drop", None),
        ("12", "deliver", None),
        ("", "deliver", None),
        ("x" * 65, "deliver", None),
    ],
)
def test_senders(raw: str, policy: str, expected: str | None) -> None:
    channel = sketch(alphanumeric_mo=policy)
    if expected is None:
        with pytest.raises(BadRequest, match="not a possible number"):
            channel.sender(raw)
    else:
        assert channel.sender(raw) == expected


@pytest.mark.parametrize("policy", ["drop", "deliver"])
def test_senders_of_types_that_have_names(policy: str) -> None:
    class Named(Sketch):
        names = True

    channel = sketch(Named, alphanumeric_mo=policy)
    assert [channel.sender(raw) for raw in (" MTN Info ", "0700 111-222")] == ["MTN Info", "+254700111222"]
    for raw in ("12", "", "x" * 65):
        with pytest.raises(BadRequest, match="not a possible number"):
            channel.sender(raw)


def test_another_country() -> None:
    assert sketch().incoming("0788112233", "", country="RW").sender == "+250788112233"


@pytest.mark.parametrize(
    ("address", "to", "ours"),
    [
        ("+31970001122", "31970001122", True),
        ("31970001122", "+31970001122", True),
        ("+31970001122", "31970001123", False),
        ("20990", "20990", True),
        ("20990", "+25420990", False),
        ("ACME", "acme", True),
        ("ACME", "Acne", False),
        ("ACME1", "31970001122", True),
        ("20990", "ACME", False),
        ("", "20991", True),
        ("20990", "", True),
    ],
)
def test_one_url_for_all_numbers_of_an_account(address: str, to: str, ours: bool) -> None:
    channel = sketch(address=address)
    if ours:
        channel.only_ours(to)
    else:
        with pytest.raises(Ignored, match="another number"):
            channel.only_ours(to)


def test_texts_are_cleaned() -> None:
    event = sketch().incoming("40404", "a\x00b\ud800", external_id="x\x00", attachments=["https://x\x00"])
    assert (event.text, event.external_id, event.attachments) == ("ab\ufffd", "x", ("https://x",))


def test_pieces_of_long_messages() -> None:
    event = sketch().incoming("40404", "a", piece=Piece(reference=7, total=2, sequence=1))
    assert isinstance(event, IncomingPiece)
    assert event.piece.total == 2
    assert not isinstance(sketch().incoming("40404", "a"), IncomingPiece)


@pytest.mark.parametrize(("total", "sequence"), [(2, 0), (2, 3), (0, 0), (256, 1), (None, 1), (2, None), (-1, -1)])
def test_pieces_that_make_no_sense(total: int | None, sequence: int | None) -> None:
    with pytest.raises(BadRequest, match="from 1 to the number of parts"):
        piece("9f2", total, sequence)


def test_pieces_are_named_by_what_the_aggregator_calls_them() -> None:
    assert piece("9f2", 255, 255) == Piece(reference=piece("9f2", 1, 1).reference, total=255, sequence=255)
    assert piece("9f2", 2, 1).reference != piece("9f3", 2, 1).reference


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("8812", ("8812", 0)),
        (f" {MESSAGE.upper()} ", (MESSAGE, 0)),
        ("8812.2", ("8812", 1)),
        (f"{MESSAGE}.12", (MESSAGE, 11)),
        ("8812~2", None),
        ("8812.2~2", None),
        ("8812.1", None),
        ("8812.", None),
        ("8812.x", None),
        ("x.2", None),
        ("", None),
    ],
)
def test_references_that_come_back(reference: str, expected: tuple[str, int] | None) -> None:
    assert part_of(reference) == expected


@pytest.mark.parametrize(
    ("reference", "expected"), [(MESSAGE, (MESSAGE, 0)), ("8812.3", ("8812", 2)), ("8812.3~2", ("8812", 2))]
)
def test_references_of_any_generation(reference: str, expected: tuple[str, int]) -> None:
    assert our_part(reference, "ref") == expected


def test_references_that_are_not_ours() -> None:
    with pytest.raises(BadRequest) as caught:
        our_part("nonsense~2", "ref")
    assert caught.value.fields == ("field 'ref' must be our message id",)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("8812", "8812"), ("a-Z9", "a-Z9"), ("123456789", "15e2b0d3"), ("8812.2", "071ec771"), ("é", "4a99557e")],
)
def test_names_that_must_be_short(name: str, expected: str) -> None:
    assert short_name(name, 8) == expected


def test_an_opt_out_is_of_a_phone() -> None:
    assert sketch().optout("0700111222", 5) == OptOut(channel=UUID, sender="+254700111222", received_at=5)
    with pytest.raises(BadRequest):
        sketch(alphanumeric_mo="deliver").optout("MTN")


@pytest.mark.parametrize(
    ("text", "expected"),
    [(MESSAGE, MESSAGE), (f" {MESSAGE.upper()} ", MESSAGE), ("1241244", "1241244"), ("007", "7"), ("0", None),
     ("", None), ("-1", None), ("1.0", None), ("٣", None), ("nonsense", None), (MESSAGE[:-1], None),
     (MESSAGE.replace("-", ""), None), ("9" * 20, None)],
)  # fmt: skip
def test_message_ids(text: str, expected: str | None) -> None:
    assert message_id(text) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [("27831110000", "+27831110000"), (" 47912345 ", "+47912345"), ("+27831110000", "+27831110000"),
     ("1234567", "1234567"), ("0831110000", "0831110000"), ("Acme 2783111", "Acme 2783111"), ("٣٣٣٣٣٣٣٣", "٣٣٣٣٣٣٣٣"),
     ("", "")],
)  # fmt: skip
def test_international_numbers_get_their_plus(number: str, expected: str) -> None:
    assert international(number) == expected


@pytest.mark.parametrize(
    ("ms", "expected"),
    [(1_772_359_872_000, "2026-03-01T10:11:12Z"), (1_772_359_872_500, "2026-03-01T10:11:12.5Z"),
     (1_772_359_872_012, "2026-03-01T10:11:12.012Z")],
)  # fmt: skip
def test_dates_in_replies(ms: int, expected: str) -> None:
    assert rfc3339(ms) == expected


@pytest.mark.parametrize(("sender", "expected"), [("+1", "tel:+1"), ("a#b?c%", "tel:a%23b%3Fc%25")])
def test_urns(sender: str, expected: str) -> None:
    assert urn(sender) == expected


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"password": None}, "password: required key is missing"),
        ({"password": ""}, "password: String should have at least 1 character"),
        ({"user": ""}, "user: String should have at least 1 character"),
        ({"flag": "true"}, "flag: Input should be a valid boolean"),
        ({"flag": 1}, "flag: Input should be a valid boolean"),
        ({"site": "ftp://x"}, "site: String should match pattern"),
        ({"site": "https://"}, "site: String should match pattern"),
        ({"pasword": "x"}, "pasword: unknown key; this type knows .*password"),
        ({"max_length": 0}, "max_length: Input should be greater than or equal to 1"),
        ({"max_length": "many"}, "max_length: Input should be a valid integer"),
        ({"allowed_networks": ["10.0.0.0/33"]}, "allowed_networks.0"),
        ({"in_doubt": "perhaps"}, "in_doubt: Input should be 'resend', 'fail' or 'ask'"),
        ({"max_tps": 0}, "max_tps: Input should be greater than 0"),
        ({"user": "", "flag": 7}, "user: .*; flag: "),
    ],
)
def test_bad_settings_are_named(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        sketch(**config)


def test_settings_as_rapidpro_writes_them() -> None:
    """Numbers where text is asked for, numeric text where numbers are, null for what is not set."""
    config = sketch(user=7, password=8, max_length="70", second=None, callback_domain="").config
    assert (config.user, config.password, config.max_length, config.second) == ("7", "8", 70, None)
    assert config.secrets() == ("8",)


def test_secrets() -> None:
    assert Sketch.Config.secret_keys() == ("secret", "password", "second")
    config = sketch(password="hush", second="shush").config
    assert set(config.secrets()) == {"hush", "shush"}
    assert "hush" not in repr(config)
    assert f"{config.password}" == "hush"
    assert config.model_dump(mode="json")["password"] == "hush"
    assert Sketch.Config.model_json_schema()["properties"]["password"]["writeOnly"] is True


# --- sending --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "query", "expected"),
    [
        ({}, "", f"https://sms.example.org/c/sk/{UUID}/status"),
        ({}, "id=7", f"https://sms.example.org/c/sk/{UUID}/status?id=7"),
        ({"secret": "a b"}, "", f"https://sms.example.org/c/sk/{UUID}/status?token=a%20b"),
        ({"secret": "t"}, "id=%d", f"https://sms.example.org/c/sk/{UUID}/status?id=%d&token=t"),
        ({"callback_domain": "cb.example"}, "", f"https://cb.example/c/sk/{UUID}/status"),
    ],
)
def test_callback_urls(config: dict[str, Any], query: str, expected: str) -> None:
    assert sketch(**config).callback("status", query) == expected


def test_a_secret_of_the_types_own_use_stays_out_of_urls() -> None:
    class Signed(Sketch):
        """Signs with it."""

        token_in_url = False

    channel = sketch(Signed, secret="s")
    assert "token" not in channel.callback("status")
    assert channel.receive(request("SK", "own")).status == 201


def test_plan() -> None:
    outgoing = message("hello wonderful-world", attachments=["image/png:https://x.org/a"])
    parts = sketch(max_length=21).plan(outgoing)
    assert [(part.index, part.total, part.text, part.last) for part in parts] == [
        (0, 2, "hello wonderful-world", False),
        (1, 2, "https://x.org/a", True),
    ]
    assert {(part.address, part.channel_uuid, part.attachments, part.urgent) for part in parts} == {
        ("20990", UUID, (), False)
    }
    assert [part.idempotency for part in parts] == [MESSAGE, MESSAGE + ".2"]
    assert [part.idempotency for part in sketch(max_length=21).plan(outgoing, 3)] == [MESSAGE + "~3", MESSAGE + ".2~3"]
    assert sketch().plan(outgoing, urgent=True)[0].urgent


def test_plan_of_a_type_that_takes_media() -> None:
    class Media(Sketch):
        """Takes files."""

        media = True

    files = ["image/png:https://x.org/a", "malformed", ":https://x.org/b", "image/png:"]
    first, second = sketch(Media).plan(message("hello world foo bar baz", attachments=files))
    assert first.attachments == (("image/png", "https://x.org/a"),)
    assert second.attachments == ()
    assert "x.org" not in first.text + second.text
    assert sketch().shares_with_media(message("hello", attachments=files)) == [("hello", first.attachments)]


@pytest.mark.parametrize(
    ("text", "files", "expected"),
    [
        pytest.param("hello world", ["image/png:https://x/a", "bad", "video/mp4:https://x/b"],
                     [("", "https://x/a"), ("", "https://x/b"), ("hello", ""), ("world", "")], id="media-first"),
        pytest.param("", ["image/png:https://x/a"], [("", "https://x/a")], id="media-alone"),
        pytest.param("hello", [], [("hello", "")], id="text-alone"),
        pytest.param("", [], [("", "")], id="nothing"),
    ],
)  # fmt: skip
def test_plan_of_a_type_that_takes_media_apart(text: str, files: list[str], expected: list[tuple[str, str]]) -> None:
    class Apart(Sketch):
        """Takes one file at a time."""

        media = True
        shares = Sketch.shares_apart

    parts = sketch(Apart, max_length=6).plan(message(text, attachments=files))
    assert [(part.text, part.attachments[0][1] if part.attachments else "") for part in parts] == expected
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]


def test_more_media_than_a_request_takes_are_links() -> None:
    class Few(Sketch):
        """Takes two files."""

        media = True
        max_media = 2

    files = [f"image/png:https://x/{name}" for name in "abc"]
    (part,) = sketch(Few).plan(message("hi", attachments=files[:2]))
    assert (part.text, len(part.attachments)) == ("hi", 2)
    (part,) = sketch(Few, max_length=60).plan(message("hi", attachments=files))
    assert (part.text, part.attachments) == ("hi\nhttps://x/a\nhttps://x/b\nhttps://x/c", ())


def test_never_split() -> None:
    class Whole(Sketch):
        """The aggregator cuts."""

        max_length = None

    (part,) = sketch(Whole, max_length=5).plan(message("x" * 5000))
    assert len(part.text) == 5000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("word " * 60, ["word " * 60], id="gsm7-within"),
        pytest.param("a" * 400, ["a" * 306, "a" * 94], id="gsm7"),
        pytest.param("{" * 306, ["{" * 152, "{" * 152, "{" * 2], id="extension-characters-count-twice"),
        pytest.param("ж" * 300, ["ж" * 134, "ж" * 134, "ж" * 32], id="ucs2"),
        pytest.param("😀" * 67, ["😀" * 66, "😀"], id="astral-characters-count-twice"),
        pytest.param("слово " * 25, ["слово " * 21 + "слово", "слово " * 2 + "слово"], id="at-a-space"),
        pytest.param("ж" * 140 + "a" * 450, ["ж" * 134, "ж" * 6 + "a" * 128, "a" * 306, "a" * 16], id="mixed"),
        pytest.param("a" * 306 + " " * 20, ["a" * 306], id="spaces-at-the-end"),
        pytest.param(" " * 20 + "a" * 300, ["a" * 286, "a" * 14], id="spaces-at-the-start"),
        pytest.param("", [""], id="empty"),
    ],
)
def test_parts_of_so_many_short_messages(text: str, expected: list[str]) -> None:
    class Short(Sketch):
        max_length = 600
        max_segments = 2

    parts = sketch(Short).plan(message(text))
    assert [part.text for part in parts] == expected
    assert max(segments(part.text).count for part in parts) <= 2


# --- the table ------------------------------------------------------------------------------------------------------


def test_types_are_found_in_either_case() -> None:
    assert channels.load("at") is channels.load("AT")
    with pytest.raises(channels.UnknownType, match=r"no HTTP channel type 'XX'; there are .*\bAT, "):
        channels.load("XX")


@pytest.mark.parametrize(
    ("code", "settings", "expected"),
    [
        ("AT", {}, False),
        ("AT", {"alphanumeric_mo": "deliver"}, True),
        ("AT", {"alphanumeric_mo": None}, False),
        ("DA", {}, True),
        ("DA", {"alphanumeric_mo": "drop"}, False),
        ("SMPP", {}, False),
        ("SMPP", {"alphanumeric_mo": "deliver"}, True),
    ],
)
def test_which_channels_take_alphanumeric_senders(code: str, settings: dict[str, Any], expected: bool) -> None:
    assert channels.takes_names(code, settings) is expected


def test_make_reports_the_channels_settings() -> None:
    with pytest.raises(ConfigError, match="api_key: required key is missing"):
        channels.make(Record("AT"), {"username": "u"}, "https://x.org")
