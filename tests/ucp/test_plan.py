"""What a message becomes: the operations of its segments, and what tshark makes of their frames."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.messages import Outgoing
from smsc_relay.protocol import CannotEncode, Plan
from smsc_relay.ucp import texts
from smsc_relay.ucp.codec import encode
from smsc_relay.ucp.config import UcpConfig
from smsc_relay.ucp.dialect import DIALECT
from smsc_relay.ucp.operations import CallInput, Message, Operation, Transfer, operation_frame
from tests.capture import captured
from tests.tools import tool
from tests.ucp.frames import FRAMES, octets

PORT = 5000
CHANNEL = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"


def config(**more: Any) -> UcpConfig:
    return UcpConfig.read({"host": "smsc", "username": "1234", **more})


def plan(text: str = "Hi", to: str = "+447700900123", sender: str = "1234", reference: int = 42, **more: Any) -> Plan:
    message = Outgoing.model_validate({"id": 1, "text": text, "to": to, "from": sender, "channel": CHANNEL})
    return DIALECT.plan(message, config(**more), reference)


def bodies(*args: Any, **more: Any) -> list[Any]:
    return [segment.body for segment in plan(*args, **more).segments]


# --- against the specification's frames -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "trn", "message", "settings"),
    [
        pytest.param("submit", 2, {"text": "Hi {€}", "sender": "ACME"},
                     {"notification_addr": "1270000000015000", "notification_pid": "0539"}, id="alphanumeric sender"),
        pytest.param("submit of UCS-2", 5, {"text": "é€😀"},
                     {"receipts": "none", "encoding": "ucs2"}, id="UCS-2"),
        pytest.param("call input of digits", 14, {"text": "5550100"}, {"operation": "01"}, id="01"),
        pytest.param("transfer", 16, {"text": "Hi"}, {"operation": "30", "receipts": "none"}, id="30"),
    ],
)  # fmt: skip
def test_frames_of_the_specification(
    name: str, trn: int, message: dict[str, Any], settings: dict[str, Any]
) -> None:  # fmt: skip
    (body,) = bodies(**message, **settings)
    if name == "call input of digits":  # which we send as text
        assert body == CallInput("447700900123", "1234", "", "3", "", "35353530313030")
        return
    assert encode(operation_frame(body, trn)) == octets(name)


def test_a_part_is_the_specifications() -> None:
    first, second = bodies("Part one" + "." * 145 + "Part two" + "." * 10, receipts="none")
    assert first.xser == "01060500032A0201"
    assert second.xser == "01060500032A0202"
    assert first.msg.startswith("50617274206F6E65")
    assert second.msg.startswith("506172742074776F")
    assert (first.mt, first.nb) == ("3", "")


# --- senders and recipients -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "settings", "oadc", "otoa"),
    [
        pytest.param("8080", {}, "8080", "", id="short code"),
        pytest.param("+250788123123", {}, "250788123123", "1139", id="international"),
        pytest.param("00250788123123", {}, "250788123123", "1139", id="00"),
        pytest.param("0788123123", {}, "0788123123", "", id="national"),
        pytest.param("+250788123123", {"sender_otoa": "none"}, "250788123123", "", id="never 1139"),
        pytest.param("8080", {"sender_otoa": "international"}, "8080", "1139", id="always 1139"),
        pytest.param("8080", {"source_addr": "ACME"}, "07C161B308", "5039", id="configured"),
        pytest.param("ACME", {}, "07C161B308", "5039", id="ACME"),
        pytest.param("hello", {}, "09E8329BFD06", "5039", id="hello"),
        pytest.param("ALPHA@NUM", {}, "10412614190438AB4D", "5039", id="with @"),
        pytest.param("MyCompany12", {}, "14CDFCF0DD8687DDF9980C", "5039", id="eleven"),
        pytest.param("ACME", {"sender_length": "written"}, "08C161B308", "5039", id="digits written"),
        pytest.param("", {}, "", "", id="none"),
    ],
)
def test_senders(sender: str, settings: dict[str, Any], oadc: str, otoa: str) -> None:
    (body,) = bodies(sender=sender, **settings)
    assert (body.oadc, body.otoa) == (oadc, otoa)


@pytest.mark.parametrize(
    ("to", "settings", "adc"),
    [
        pytest.param("+250788123123", {}, "250788123123", id="plus"),
        pytest.param("+250 788 123-123", {}, "250788123123", id="separators"),
        pytest.param("+250788123123", {"international_prefix": "00"}, "00250788123123", id="prefix"),
        pytest.param("0788123123", {"international_prefix": "00"}, "0788123123", id="national"),
    ],
)
def test_recipients(to: str, settings: dict[str, Any], adc: str) -> None:
    assert bodies(to=to, **settings)[0].adc == adc


@pytest.mark.parametrize(
    ("message", "settings", "reason"),
    [
        pytest.param({"sender": "MyCompany123"}, {}, "the sender has more than 11", id="long sender"),
        pytest.param({"sender": "Ελλάδα"}, {}, "the sender has characters that GSM 7-bit", id="sender's characters"),
        pytest.param({"sender": "1" * 23}, {}, "the sender has more than 22 digits", id="sender of many digits"),
        pytest.param({"to": "ACME"}, {}, "the recipient is not a phone number", id="recipient"),
        pytest.param({"to": "*123#"}, {}, "the recipient is not a phone number", id="stars"),
        pytest.param({"text": "x" * 400}, {"max_parts": 2}, "max_parts is 2", id="parts"),
        pytest.param({"text": "☀"}, {"operation": "30"}, "needs UCS-2, which operation 30", id="30 without UCS-2"),
        pytest.param({"text": "☀"}, {"operation": "01"}, "needs UCS-2, which operation 01", id="01 without UCS-2"),
        pytest.param({"sender": "ACME"}, {"operation": "01"}, "alphanumeric, which operation 01", id="01 and names"),
    ],
)
def test_what_cannot_be_sent(message: dict[str, Any], settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(CannotEncode, match=reason):
        plan(**message, **settings)


# --- texts ----------------------------------------------------------------------------------------------------------

TURKISH = "Şişli'de bir ığdır ağacı " * 4


@pytest.mark.parametrize(
    ("text", "settings", "encoding", "parts"),
    [
        pytest.param("x" * 160, {}, "gsm7", 1, id="160"),
        pytest.param("x" * 161, {}, "gsm7", 2, id="161"),
        pytest.param("€" * 80, {}, "gsm7", 1, id="extension characters count twice"),
        pytest.param("€" * 81, {}, "gsm7", 2, id="and more of them"),
        pytest.param("☀" * 70, {}, "ucs2", 1, id="70"),
        pytest.param("☀" * 71, {}, "ucs2", 2, id="71"),
        pytest.param("“Hi”", {}, "ucs2", 1, id="quotes"),
        pytest.param("“Hi”", {"encoding": "smart"}, "gsm7", 1, id="smart"),
        pytest.param("Hi", {"encoding": "ucs2"}, "ucs2", 1, id="always UCS-2"),
        pytest.param("x" * 306, {"long_messages": "udh16"}, "gsm7", 3, id="16 bits"),
        pytest.param("x" * 320, {"long_messages": "smsc"}, "gsm7", 1, id="the SMSC cuts"),
        pytest.param("x" * 321, {"long_messages": "smsc"}, "gsm7", 3, id="the SMSC cannot cut"),
        pytest.param("x" * 161, {"long_messages": "separate"}, "gsm7", 2, id="separate"),
        pytest.param("x" * 161, {"operation": "30"}, "gsm7", 2, id="30"),
        pytest.param(TURKISH, {}, "ucs2", 2, id="Turkish"),
        pytest.param(TURKISH, {"national_languages": ["turkish"]}, "gsm7:1:0", 1, id="Turkish by its table"),
        pytest.param(
            TURKISH, {"national_languages": ["turkish"], "encoding": "smart"}, "gsm7:1:0", 1, id="Turkish, smart"
        ),
    ],
)
def test_parts(text: str, settings: dict[str, Any], encoding: str, parts: int) -> None:
    found = plan(text, **settings)
    assert (found.encoding, len(found.segments)) == (encoding, parts)
    assert found.shape.startswith(f"{encoding}/")
    for segment in found.segments:
        assert segment.total == parts
        body = segment.body
        assert len(body.msg) <= (640 if settings.get("long_messages") == "smsc" else 320)
        if isinstance(body, Message):
            joined = parts > 1 and settings.get("long_messages") != "separate"
            assert ("050003" in body.xser or "060804" in body.xser) == joined


@pytest.mark.parametrize(
    ("text", "settings", "counts"),
    [
        pytest.param("x" * 160, {"long_messages": "smsc"}, [1], id="short"),
        pytest.param("x" * 161, {"long_messages": "smsc"}, [2], id="the SMSC cuts"),
        pytest.param("x" * 320, {"long_messages": "smsc"}, [3], id="the SMSC cuts in three"),
        pytest.param("x" * 321, {"long_messages": "smsc"}, [1, 1, 1], id="we cut"),
    ],
)
def test_what_the_smsc_makes_of_an_operation(text: str, settings: dict[str, Any], counts: list[int]) -> None:
    """For the pace, and for max_parts."""
    assert [one.count for one in plan(text, **settings).segments] == counts


def test_more_than_the_smsc_may_cut() -> None:
    with pytest.raises(CannotEncode, match="takes 3 segments; max_parts is 2"):
        plan("x" * 320, long_messages="smsc", max_parts=2)


def test_a_table_and_a_part() -> None:
    long = bodies(TURKISH * 2, national_languages=["turkish"])
    assert [body.xser for body in long] == [f"0109080003{42:02X}02{n:02X}240101" for n in (1, 2)]


@pytest.mark.parametrize(
    ("settings", "nb", "dcs", "mcls", "xser"),
    [
        ({}, "0016", "", "1", "020108"),
        ({"ucs2_class": ""}, "0016", "", "", "020108"),
        ({"transparent_dcs": True}, "0016", "1", "1", "020108"),
        ({"ucs2_dcs": 0x18, "extra_services": "0c0141"}, "0016", "", "1", "0201180C0141"),
    ],
)
def test_ucs2(settings: dict[str, Any], nb: str, dcs: str, mcls: str, xser: str) -> None:
    (body,) = bodies("☀", **settings)
    assert (body.mt, body.nb, body.dcs, body.mcls, body.xser, body.msg) == ("4", nb, dcs, mcls, xser, "2600")


def test_another_code_on_the_link() -> None:
    german = {"5E": "5D", "7E": "7D", "1E": "7E", "5F": "5E"}
    (body,) = bodies("Üüß§a", substitutions=german)
    assert body.msg == "5D7D7E5E61"
    mo = Message(52, mt="3", msg=body.msg)
    assert texts.read(mo, config(substitutions=german)).text == "Üüß§a"


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        pytest.param({}, [("1", "3"), ("1", "3")], id="all"),
        pytest.param({"receipts": "last"}, [("", ""), ("1", "3")], id="last"),
        pytest.param({"receipts": "failure"}, [("1", "2"), ("1", "2")], id="failure"),
        pytest.param({"intermediate": True}, [("1", "7"), ("1", "7")], id="intermediate"),
        pytest.param({"receipts": "none", "intermediate": True}, [("", ""), ("", "")], id="none"),
        pytest.param({"notification_request": ""}, [("", "3"), ("", "3")], id="NT alone"),
    ],
)
def test_notifications(settings: dict[str, Any], asked: list[tuple[str, str]]) -> None:
    found = plan("x" * 200, **settings).segments
    assert [(one.body.nrq, one.body.nt) for one in found] == asked
    assert [one.silent for one in found] == [settings.get("receipts") == "last", False]


def test_everything_that_an_operator_may_want() -> None:
    first, last = bodies(
        "x" * 200, ac="9999", protocol_id="0064", priority=1, reply_path="1", hplmn="25010", last_resort_addr="8081",
        last_resort_pid="0100", more_messages=True, notification_addr="1270000000015000", notification_pid="0539",
    )  # fmt: skip
    for body in (first, last):
        assert (body.ac, body.rpid, body.pr, body.rpi, body.hplmn) == ("9999", "0064", "1", "1", "25010")
        assert (body.lrq, body.lrad, body.lpid) == ("1", "8081", "0100")
        assert (body.nadc, body.npid) == ("1270000000015000", "0539")
    assert (first.mms, last.mms) == ("1", "0")


def test_a_transfer_asks_for_notifications() -> None:
    assert bodies(operation="30", ac="9999") == [Transfer("447700900123", "1234", "9999", "1", msg="4869")]
    assert [body.nrq for body in bodies("x" * 200, operation="30")] == ["1", "1"]
    found = plan("x" * 200, operation="30", receipts="last").segments
    assert [(one.body.nrq, one.silent) for one in found] == [("", True), ("1", False)]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffd\x1b"), max_size=400)


@hypothesis.settings(deadline=None)
@given(TEXT, st.sampled_from(["udh8", "udh16", "smsc", "separate"]), st.integers(0, 65_535))
def test_what_is_sent_can_be_read(text: str, long_messages: str, reference: int) -> None:
    """Every part is a frame that our own reader understands; together they are the text."""
    settings = config(long_messages=long_messages)
    message = Outgoing.model_validate({"id": 1, "text": text, "to": "+447700900123", "from": "1234",
                                       "channel": CHANNEL})  # fmt: skip
    found = DIALECT.plan(message, settings, reference)
    together = ""
    for segment in found.segments:
        encode(operation_frame(segment.body, segment.index % 100))
        read = texts.read(segment.body, settings)
        assert not read.fault
        if len(found.segments) > 1 and long_messages in ("udh8", "udh16"):
            assert read.piece is not None
            assert (read.piece.sequence, read.piece.total) == (segment.index + 1, segment.total)
        together += read.text
    assert together.replace("Ç", "ç") == text.replace("Ç", "ç") or "\ufeff" in text


# --- tshark ---------------------------------------------------------------------------------------------------------


def dissected(frames: list[bytes], tmp_path: Any) -> list[dict[str, str]]:
    """Each frame as tshark reads it."""
    capture = tmp_path / "ucp.pcap"
    capture.write_bytes(captured(frames, PORT))
    names = ["frame.protocols", "_ws.col.Info", "ucp.hdr.OT", "ucp.parm.AdC", "ucp.parm.OAdC", "ucp.message"]
    told = tool("tshark").run(
        "-r", capture, "-d", f"tcp.port=={PORT},ucp", "-T", "fields", *(a for name in names for a in ("-e", name))
    )
    return [dict(zip(names, line.split("\t"), strict=False)) for line in told.splitlines()]


def test_tshark_reads_what_we_write(tmp_path: Any) -> None:
    """A real dissector finds every frame whole, with the right checksum."""
    sent: list[Operation] = [
        *bodies("Hi {€}", sender="ACME", notification_addr="1270000000015000", notification_pid="0539"),
        *bodies("x" * 400, sender="+447700900000"),
        *bodies("☀" * 100, transparent_dcs=True, extra_services="0C0141"),
        *bodies(TURKISH, national_languages=["turkish"]),
        *bodies("x" * 320, long_messages="smsc"),
        *bodies("Hi", operation="30"),
        *bodies("Hi", operation="01"),
    ]
    frames = [encode(operation_frame(body, trn)) for trn, body in enumerate(sent)]
    found = dissected(frames, tmp_path)
    assert len(found) == len(frames)
    for one, body in zip(found, sent, strict=True):
        assert one["frame.protocols"].endswith(":ucp")
        assert "checksum invalid" not in one["_ws.col.Info"]
        assert "Malformed" not in one["_ws.col.Info"]
        assert int(one["ucp.hdr.OT"]) == body.ot


def test_tshark_would_have_told(tmp_path: Any) -> None:
    """What it accepts above, it does not accept when a digit is wrong."""
    broken = octets("alert")[:-2] + b"2\x03"
    (found,) = dissected([broken], tmp_path)
    assert "checksum invalid" in found["_ws.col.Info"]
    assert len(dissected([octets(name) for name in FRAMES], tmp_path)) == len(FRAMES)
