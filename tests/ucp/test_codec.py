"""Octets <-> frames <-> operations and results."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsc_relay.ucp.codec import LONGEST, Frame, FrameReader, checksum, decode, encode
from smsc_relay.ucp.constants import SERIES_5X, Ec
from smsc_relay.ucp.errors import LocalProtocolError, UcpDecodeError, UcpEncodeError
from smsc_relay.ucp.operations import (
    Ack,
    Alert,
    CallInput,
    Message,
    Nack,
    Operation,
    SessionManagement,
    Transfer,
    operation_frame,
    read_operation,
    read_result,
    result_frame,
)
from tests.ucp.frames import FRAMES, octets, wrapped

NOT_KNOWN = {"call input to two", "list"}


def frame(name: str) -> Frame:
    return decode(FRAMES[name].encode("latin-1"))


# --- the specification's frames -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_is_read_and_written_the_same(name: str) -> None:
    assert encode(frame(name)) == octets(name)


@pytest.mark.parametrize("name", FRAMES)
def test_its_fields_by_name_too(name: str) -> None:
    found = frame(name)
    if found.result:
        assert encode(result_frame(read_result(found), found.trn, found.ot)) == octets(name)
    elif name in NOT_KNOWN:
        with pytest.raises(UcpDecodeError) as caught:
            read_operation(found)
        assert (caught.value.ec, caught.value.trn, caught.value.ot) == (Ec.UNSUPPORTED, found.trn, found.ot)
    else:
        assert encode(operation_frame(read_operation(found), found.trn)) == octets(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("login", SessionManagement("1234", "6", "5", "1", "736563726574", "", "0100")),
        ("alert", Alert("1234", "0539")),
        ("MO", Message(52, adc="8080", oadc="447700900123", scts="310126094500", mt="3", msg="53544F50", dcs="0")),
        (
            "notification of failure",
            Message(53, adc="1234", oadc="447700900123", scts="310126093000", dst="2", rsn="107", dscts="010226093000",
                    mt="3"),
        ),
        ("call input", CallInput("8080", "447700900123", "", "3", "", "53544F50")),
        ("transfer", Transfer("447700900123", "1234", msg="4869")),
    ],
)  # fmt: skip
def test_operations(name: str, expected: Operation) -> None:
    assert read_operation(frame(name)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("submit accepted", Ack("447700900123:310126093000")),
        ("submit refused", Nack(4, "Operation not allowed")),
        ("alert answered", Ack("0000")),
        ("inquiry response answered", Ack()),
    ],
)
def test_results(name: str, expected: Any) -> None:
    assert read_result(frame(name)) == expected


def test_the_checksum() -> None:
    assert checksum(b"01/00026/O/31/1234/0539/") == b"C1"


# --- what peers do differently --------------------------------------------------------------------------------------


def _made(body: str) -> bytes:
    """`body` from O or R on, with the right length and checksum."""
    text = f"07/{len(body) + 12:05d}/{body}/".encode("latin-1")
    return text + checksum(text)


def test_a_call_input_of_octets_has_a_number_of_bits() -> None:
    operation = CallInput("8080", "447700900123", "", "4", "16", "0102")
    found = operation_frame(operation, 3)
    assert found.fields == ("8080", "447700900123", "", "4", "16", "0102")
    assert read_operation(found) == operation


def test_old_peers_stop_before_the_last_fields() -> None:
    found = read_operation(decode(_made("O/52/8080/447700900123/////////////310126094500////3//53544F50")))
    assert found == Message(52, adc="8080", oadc="447700900123", scts="310126094500", mt="3", msg="53544F50")


def test_surplus_fields_are_passed_over() -> None:
    assert read_operation(decode(_made("O/31/1234/0539/x/y"))) == Alert("1234", "0539")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("R/51/A", Ack(), id="A alone"),
        pytest.param("R/51/A/", Ack(), id="no SM"),
        pytest.param("R/51/A/3101261200/447700900123:310126093000", Ack("447700900123:310126093000", "3101261200"),
                     id="MVP"),
        pytest.param("R/60/A", Ack(), id="login"),
        pytest.param("R/51/N/04", Nack(4), id="N without text"),
        pytest.param("R/51/N/4/", Nack(4), id="EC of one digit"),
        pytest.param("R/51/N/04/and/or", Nack(4, "and/or"), id="slash in the text"),
    ],
)  # fmt: skip
def test_short_results(body: str, expected: Any) -> None:
    assert read_result(decode(_made(body))) == expected


@pytest.mark.parametrize("body", ["R/51/X", "R/51//", "R/51/N", "R/51/N/xx/"])
def test_a_result_that_says_nothing(body: str) -> None:
    with pytest.raises(UcpDecodeError) as caught:
        read_result(decode(_made(body)))
    assert caught.value.result


def test_a_checksum_in_lower_case() -> None:
    assert decode(FRAMES["alert"].replace("/C1", "/c1").encode()) == frame("alert")


@pytest.mark.parametrize(
    ("text", "ec", "answerable"),
    [
        pytest.param("01/00026/O/31/1234/0539/C2", Ec.CHECKSUM, True, id="checksum"),
        pytest.param("01/00026/O/31/1235/0539/C1", Ec.CHECKSUM, True, id="data"),
        pytest.param("01/00026/O/31/1234/0539", Ec.CHECKSUM, True, id="no checksum"),
        pytest.param("01/00027/O/31/1234/0539/C2", Ec.SYNTAX, True, id="length"),
        pytest.param("1/00026/O/31/1234/0539/C1", Ec.SYNTAX, False, id="TRN of one digit"),
        pytest.param("01/26/O/31/1234/0539/C1", Ec.SYNTAX, False, id="LEN of two digits"),
        pytest.param("01/00026/X/31/1234/0539/C1", Ec.SYNTAX, False, id="neither O nor R"),
        pytest.param("", Ec.SYNTAX, False, id="empty"),
    ],
)
def test_bad_frames(text: str, ec: int, answerable: bool) -> None:
    with pytest.raises(UcpDecodeError) as caught:
        decode(text.encode())
    assert caught.value.ec == ec
    assert (caught.value.trn, caught.value.ot) == ((1, 31) if answerable else (-1, -1))
    assert "1234" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["01/00026/O/31/1234/0539/C2", "01/00027/O/31/1234/0539/C2", "01/00026/O/31/1234/0539/", "01/00026/O/31/1234/0539"],
)
def test_lenient(text: str) -> None:
    assert read_operation(decode(text.encode(), lenient=True)) == Alert("1234", "0539")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        pytest.param(Frame(100, False, 31, ()), "TRN and OT have two digits", id="TRN"),
        pytest.param(Frame(0, False, 31, ("a/b",)), "field 1 of OT 31 has a slash", id="slash"),
        pytest.param(Frame(0, False, 31, ("a", "\x03")), "field 2 of OT 31", id="ETX"),
        pytest.param(Frame(0, False, 31, ("☀",)), "no octet", id="character"),
        pytest.param(Frame(0, False, 31, ("x" * LONGEST,)), "characters", id="too long"),
    ],
)
def test_what_cannot_be_written(bad: Frame, message: str) -> None:
    with pytest.raises(UcpEncodeError, match=message):
        encode(bad)


def test_a_frame_without_fields() -> None:
    assert decode(encode(Frame(1, False, 31, ()))[1:-1]) == Frame(1, False, 31, ("",))


def test_only_some_results_have_a_modified_validity() -> None:
    with pytest.raises(LocalProtocolError, match="31"):
        result_frame(Ack("", "3101261200"), 0, 31)


def test_nothing_shows_what_is_private() -> None:
    shown = repr(read_operation(frame("submit"))) + repr(read_operation(frame("login"))) + repr(Ack("4477:3101"))
    assert "4477" not in shown
    assert "736563" not in shown
    assert "4869" not in shown


# --- streams --------------------------------------------------------------------------------------------------------


def bodies(reader: FrameReader) -> list[bytes]:
    found = []
    while (body := reader.next_frame()) is not None:
        found.append(body)
    return found


@pytest.mark.parametrize("size", [1, 2, 7, 100_000])
def test_a_stream_cut_anywhere(size: int) -> None:
    stream = b"welcome\r\n" + b"\r\n".join(octets(name) for name in FRAMES)
    reader, found = FrameReader(), []
    for at in range(0, len(stream), size):
        reader.feed(stream[at : at + size])
        found += bodies(reader)
    assert found == [text.encode() for text in FRAMES.values()]


def test_an_stx_in_a_frame_begins_it_anew() -> None:
    reader = FrameReader()
    reader.feed(b"\x0201/000" + octets("alert") + b"\x03" + octets("login"))
    assert bodies(reader) == [FRAMES["alert"].encode(), FRAMES["login"].encode()]
    assert not reader.take_overlong()


@pytest.mark.parametrize("closed", [True, False])
def test_a_frame_without_end_is_dropped(closed: bool) -> None:
    reader = FrameReader(longest=100)
    reader.feed(b"\x02")
    for _ in range(30):
        reader.feed(b"0123456789")
        assert not bodies(reader)
    reader.feed((b"\x03" if closed else b"") + octets("alert"))
    assert bodies(reader) == [FRAMES["alert"].encode()]
    assert reader.take_overlong() == 1
    assert reader.take_overlong() == 0


# --- anything -------------------------------------------------------------------------------------------------------

FIELD = st.text(st.characters(max_codepoint=255, exclude_characters="/\x02\x03"), max_size=30)
TRN = st.integers(0, 99)


@hypothesis.settings(deadline=None)
@given(TRN, st.booleans(), TRN, st.lists(FIELD, min_size=1, max_size=40))
def test_decode_of_encode(trn: int, result: bool, ot: int, fields: list[str]) -> None:
    made = Frame(trn, result, ot, tuple(fields))
    data = encode(made)
    assert decode(data[1:-1]) == made
    reader = FrameReader()
    reader.feed(data)
    assert bodies(reader) == [data[1:-1]]


MESSAGES = st.builds(
    lambda ot, **given: Message(ot, **given),  # of the tuple itself all fields would be drawn
    st.sampled_from(sorted(SERIES_5X)),
    **dict.fromkeys(("adc", "oadc", "scts", "msg", "xser"), FIELD),
)
OTHERS = st.one_of(
    st.builds(Alert, FIELD, FIELD),
    st.builds(Transfer, *[FIELD] * 10),
    st.builds(SessionManagement, *[FIELD] * 12),
    st.builds(CallInput, FIELD, FIELD, FIELD, st.just("4"), FIELD, FIELD),
    st.builds(CallInput, FIELD, FIELD, FIELD, st.sampled_from(["", "2", "3"]), st.just(""), FIELD),
)


@hypothesis.settings(deadline=None)
@given(st.one_of(MESSAGES, OTHERS), TRN)
def test_operations_both_ways(operation: Operation, trn: int) -> None:
    assert read_operation(decode(encode(operation_frame(operation, trn))[1:-1])) == operation


SM = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="/"), max_size=60)


@hypothesis.settings(deadline=None)
@given(st.one_of(st.builds(Ack, SM, FIELD), st.builds(Nack, TRN, SM)), TRN)
def test_results_both_ways(result: Any, trn: int) -> None:
    assert read_result(decode(encode(result_frame(result, trn, 51))[1:-1])) == result


@hypothesis.settings(deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(list(FRAMES)).map(octets), st.just(b"\x02"),
                          st.binary(max_size=40).map(lambda body: b"\x02" + body + b"\x03")), max_size=12))  # fmt: skip
def test_any_octets_are_frames_or_errors(pieces: list[bytes]) -> None:
    reader = FrameReader()
    for piece in pieces:
        reader.feed(piece)
        for body in bodies(reader):
            for lenient in (False, True):
                with suppress(UcpDecodeError):
                    found = decode(body, lenient=lenient)
                    assert read_result(found) if found.result else read_operation(found)


def test_frames_after_garbage_are_found() -> None:
    reader = FrameReader()
    reader.feed(wrapped("nonsense") + b"\x03\x03" + octets("alert"))
    assert bodies(reader) == [b"nonsense", FRAMES["alert"].encode()]
