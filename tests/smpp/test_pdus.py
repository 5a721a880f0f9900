"""PDUs as values: defaults, TLVs made and read, and that nothing secret is shown."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from smsc_relay.smpp import pdus
from smsc_relay.smpp.codec import Decoded
from smsc_relay.smpp.constants import RESPONSE_BIT, TLVS, CommandId, Tag, TlvKind
from smsc_relay.smpp.errors import SmppEncodeError
from smsc_relay.smpp.layouts import LAYOUTS, Kind
from smsc_relay.smpp.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    DeliverSm,
    DistributionList,
    EnquireLink,
    Pdu,
    SmeAddress,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    UnsuccessSme,
    int_tlv,
    octets_tlv,
    text_tlv,
)

# --- every kind -----------------------------------------------------------------------------------------------------


def test_every_command_has_its_pdu_and_every_request_its_response() -> None:
    without = {CommandId.OUTBIND, CommandId.ALERT_NOTIFICATION, CommandId.GENERIC_NACK}
    kinds = {kind.command_id: kind for kind in pdus.ALL}
    assert set(kinds) == set(CommandId) | {each | RESPONSE_BIT for each in set(CommandId) - without}
    for command_id, kind in kinds.items():
        answer = None if command_id & RESPONSE_BIT else kinds.get(command_id | RESPONSE_BIT)
        assert kind.response is answer


@pytest.mark.parametrize("kind", pdus.ALL, ids=lambda kind: kind.__name__)
def test_every_kind(kind: type[Any]) -> None:
    names = [field.name for field in dataclasses.fields(kind)]
    assert names == [*(item.name for item in LAYOUTS[kind]), "tlvs"]
    pdu = kind()
    assert pdu == kind()
    assert hash(pdu) == hash(kind())
    assert pdu.tlvs == ()
    assert not hasattr(pdu, "__dict__")


def test_what_is_equal() -> None:
    assert len({BindTransmitter(), BindReceiver(), BindTransceiver()}) == 3
    assert len({SubmitSm(short_message=b"x"), DeliverSm(short_message=b"x")}) == 2
    assert SubmitSmResp(None) != SubmitSmResp("")
    assert BindTransceiver().interface_version == 0x34


# --- nothing secret is shown ----------------------------------------------------------------------------------------

_SECRET = "447700900123"
_SECRETS: dict[Kind, Any] = {
    Kind.CSTR: _SECRET,
    Kind.DATE: _SECRET,
    Kind.OCTETS: _SECRET.encode(),
    Kind.DESTINATIONS: (SmeAddress(1, 1, _SECRET), DistributionList(_SECRET)),
    Kind.UNSUCCESS: (UnsuccessSme(1, 1, _SECRET, 0x0B),),
    Kind.IDS: (_SECRET,),
}


@pytest.mark.parametrize("kind", pdus.ALL, ids=lambda kind: kind.__name__)
def test_a_repr_tells_lengths_and_no_values(kind: type[Any]) -> None:
    values = {item.name: _SECRETS[item.kind] for item in LAYOUTS[kind] if item.kind in _SECRETS}
    pdu = kind(**values, tlvs=((0x0424, _SECRET.encode()), (0x1401, b"ab")))
    for shown in (repr(pdu), str(pdu), f"{pdu}", repr([pdu]), repr(Decoded(pdu, 1, 0))):
        assert _SECRET not in shown
        assert kind.__name__ in shown
        assert "tlvs=[0x0424:12, 0x1401:2]" in shown


@pytest.mark.parametrize("entry", [*_SECRETS[Kind.DESTINATIONS], *_SECRETS[Kind.UNSUCCESS]])
def test_a_repr_of_an_entry_neither(entry: object) -> None:
    assert _SECRET not in repr(entry)
    assert ":12" in repr(entry)


@pytest.mark.parametrize(
    ("pdu", "shown"),
    [
        (EnquireLink(), "EnquireLink(tlvs=[])"),
        (SubmitSmResp(None), "SubmitSmResp(message_id=None, tlvs=[])"),
        (BindTransceiverResp("smsc", ((0x0210, b"4"),)), "BindTransceiverResp(system_id:4, tlvs=[0x0210:1])"),
        (pdus.QuerySmResp("1", "", 2, 3),
         "QuerySmResp(message_id:1, final_date:0, message_state=2, error_code=3, tlvs=[])"),
    ],
)  # fmt: skip
def test_what_a_repr_looks_like(pdu: Pdu, shown: str) -> None:
    assert repr(pdu) == shown


def test_a_repr_counts_destinations() -> None:
    assert "dest_address:2," in repr(SubmitMulti(dest_address=(SmeAddress(), SmeAddress())))


# --- TLVs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", TLVS, ids=lambda tag: Tag(tag).name)
def test_tlvs_keep_to_their_lengths(tag: int) -> None:
    spec = TLVS[tag]
    for size in (spec.minimum, spec.maximum):
        assert octets_tlv(tag, b"1" * size) == (tag, b"1" * size)
    for size in {spec.minimum - 1, spec.maximum + 1} - {-1}:
        with pytest.raises(SmppEncodeError, match=f"0x{tag:04X} is {size}"):
            octets_tlv(tag, b"1" * size)


@pytest.mark.parametrize("tag", TLVS, ids=lambda tag: Tag(tag).name)
def test_tlvs_keep_to_their_kind(tag: int) -> None:
    kind, low, high = TLVS[tag]
    if kind is TlvKind.CSTR:
        for text in ("x" * (low - 1), "x" * (high - 1)):
            assert text_tlv(tag, text) == (tag, text.encode() + b"\0")
        with pytest.raises(SmppEncodeError):
            text_tlv(tag, "x" * high)
        with pytest.raises(SmppEncodeError):
            int_tlv(tag, 1)
        return
    with pytest.raises(SmppEncodeError):
        text_tlv(tag, "x" * low)
    if kind is TlvKind.INT:
        least = max(1, low)
        assert int_tlv(tag, 1) == (tag, (1).to_bytes(least, "big"))
        assert int_tlv(tag, 256**high - 1, high) == (tag, b"\xff" * high)
        for value in (-1, 256**least):
            with pytest.raises(SmppEncodeError):
                int_tlv(tag, value)
        with pytest.raises(SmppEncodeError):
            int_tlv(tag, 1, high + 1)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (int_tlv(0x1401, 255), (0x1401, b"\xff")),
        (int_tlv(0x1401, 1, 4), (0x1401, b"\0\0\0\1")),
        (int_tlv(Tag.SOURCE_TELEMATICS_ID, 1, 2), (0x0010, b"\0\1")),
        (text_tlv(0x1402, "é"), (0x1402, b"\xe9\0")),
        (octets_tlv(0x1403, b""), (0x1403, b"")),
        (octets_tlv(0xFFFF, b"x" * 65535), (0xFFFF, b"x" * 65535)),
        (octets_tlv(Tag.ALERT_ON_MESSAGE_DELIVERY, b""), (0x130C, b"")),
    ],
)
def test_tlvs_of_vendors_and_of_several_widths(made: tuple[int, bytes], expected: tuple[int, bytes]) -> None:
    assert made == expected


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (octets_tlv, (0, b"")),
        (octets_tlv, (-1, b"")),
        (octets_tlv, (0x10000, b"")),
        (octets_tlv, (0x1401, b"x" * 65536)),
        (int_tlv, (0x1401, 256)),
        (int_tlv, (0x1401, -1)),
        (text_tlv, (0x1401, "s3cr3t\0")),
        (text_tlv, (0x1401, "قناة s3cr3t")),
        (text_tlv, (Tag.RECEIPTED_MESSAGE_ID, "s3cr3t" * 20)),
    ],
)
def test_tlvs_that_cannot_be(make: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(SmppEncodeError) as caught:
        make(*arguments)
    assert caught.value.pdu == "TLV"
    assert "s3cr3t" not in f"{caught.value}{caught.value.__cause__}"


def test_tlvs_are_read_as_asked() -> None:
    pdu = DeliverSm(tlvs=((0x1400, b"a"), (0x001E, b"id\0x"), (0x0427, b"\0\0\x02"), (0x1400, b"b"), (0x0428, b"")))
    assert pdu.tlv(0x1400) == b"a"
    assert pdu.tlvs_all(0x1400) == [b"a", b"b"]
    assert pdu.tlvs_all(0x1401) == []
    assert pdu.tlv(Tag.SAR_MSG_REF_NUM) is None
    assert pdu.tlv(Tag.CONGESTION_STATE) == b""


@pytest.mark.parametrize(
    ("octets", "number"),
    [(b"\2", 2), (b"\1\0", 256), (b"\0\0\0\2", 2), (b"\xff" * 8, 2**64 - 1), (b"\0" * 9, None), (b"", None)],
)
def test_a_number_of_any_width(octets: bytes, number: int | None) -> None:
    assert DeliverSm(tlvs=((0x0427, octets),)).tlv_int(Tag.MESSAGE_STATE) == number
    assert DeliverSm().tlv_int(Tag.MESSAGE_STATE) is None


@pytest.mark.parametrize(
    ("octets", "text"), [(b"id\0", "id"), (b"id", "id"), (b"id\0x", "id"), (b"\xe9\0", "é"), (b"", ""), (b"\0", "")]
)
def test_a_text_with_or_without_nul(octets: bytes, text: str) -> None:
    assert DeliverSm(tlvs=((0x001E, octets),)).tlv_text(Tag.RECEIPTED_MESSAGE_ID) == text
    assert DeliverSm().tlv_text(Tag.RECEIPTED_MESSAGE_ID) is None
