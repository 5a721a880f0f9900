"""What we write, as tshark reads it: an independent reader of the same specifications, field by field."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from smsc_relay.smpp import pdus
from smsc_relay.smpp.codec import LIMITS_GENEROUS, encode
from smsc_relay.smpp.constants import TLVS, CommandId, Status, Tag, TlvKind
from smsc_relay.smpp.pdus import (
    BindTransceiver,
    DeliverSm,
    DeliverSmResp,
    DistributionList,
    Pdu,
    SmeAddress,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    Tlv,
    UnsuccessSme,
    int_tlv,
    octets_tlv,
    text_tlv,
)
from tests.tools import tool

PORT = 2775


@dataclass(frozen=True)
class Packet:
    """A frame as it was dissected: all fields in order, with the octets each was read from, and complaints."""

    fields: list[tuple[str, str]]
    complaints: list[str]

    def octets(self, name: str) -> list[str]:
        return [octets for known, octets in self.fields if known == f"smpp.{name}"]


Dissect = Callable[[Iterable[bytes]], list[Packet]]


@pytest.fixture
def dissect(tmp_path: Any) -> Dissect:
    """Frames -> what tshark makes of each."""

    def _dissect(frames: Iterable[bytes]) -> list[Packet]:
        capture = tmp_path / "smpp.pcap"
        capture.write_bytes(_pcap(frames))
        told = tool("tshark").run(
            "-r", capture, "-d", f"tcp.port=={PORT},smpp", "-T", "pdml", "-J", "smpp _ws.malformed _ws.expert"
        )
        return [_packet(packet) for packet in ET.fromstring(told).iter("packet")]

    return _dissect


def _pcap(frames: Iterable[bytes]) -> bytes:
    """A capture of IP packets (link type 101), each a segment of one TCP connection with one frame."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 101)]
    sequence = 1
    for frame in frames:
        tcp = struct.pack(">HHIIBBHHH", 40_000, PORT, sequence, 1, 0x50, 0x18, 0xFFFF, 0, 0)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(frame), 0, 0, 64, 6, 0, b"\x7f\0\0\1", b"\x7f\0\0\2")
        packet = ip + tcp + frame
        out += (struct.pack("<IIII", 0, 0, len(packet), len(packet)), packet)
        sequence += len(frame)
    return b"".join(out)


def _packet(packet: ET.Element) -> Packet:
    protocols = list(packet.iter("proto"))
    read = [
        # Bits are shown one by one: the octet they are in is what was written.
        (each.get("name", ""), each.get("unmaskedvalue", each.get("value", "")))
        for protocol in protocols
        if protocol.get("name") == "smpp"
        for each in protocol.iter("field")
    ]
    complaints = [name for each in protocols if "malformed" in (name := each.get("name", ""))] + [
        each.get("show", "") for each in packet.iter("field") if each.get("name") == "_ws.expert.message"
    ]
    return Packet(read, complaints)


# --- every PDU ------------------------------------------------------------------------------------------------------

# tshark's names where they are not the specification's: esm_class and registered_delivery are shown bit by bit.
_NAMES = {
    "esm_class": "esm.submit.msg_type",
    "registered_delivery": "regdel.receipt",
    "short_message": "message",
}
_SHORT: dict[str, Any] = {
    "service_type": "CMT", "source_addr_ton": 5, "source_addr_npi": 0, "source_addr": "ACME", "dest_addr_ton": 1,
    "dest_addr_npi": 9, "destination_addr": "447700900123", "esm_class": 0x03, "protocol_id": 0x7F,
    "priority_flag": 2, "schedule_delivery_time": "260131093000004+", "validity_period": "000002030000000R",
    "registered_delivery": 0x11, "replace_if_present_flag": 1, "data_coding": 3, "sm_default_msg_id": 7,
    "short_message": "Olá".encode("latin-1"),
}  # fmt: skip
_SRC: dict[str, Any] = {name: _SHORT[name] for name in ("source_addr_ton", "source_addr_npi", "source_addr")}
_DST: dict[str, Any] = {name: _SHORT[name] for name in ("dest_addr_ton", "dest_addr_npi", "destination_addr")}
_LONG: dict[str, Any] = {"source_addr": "s" * 64, "destination_addr": "d" * 64}
_ID: dict[str, Any] = {"message_id": "0a1b2c3d-" + "x" * 55}
_BIND: dict[str, Any] = {"system_id": "esme-of-15-char", "password": "secret-8", "system_type": "VMA",
                         "interface_version": 0x50, "addr_ton": 1, "addr_npi": 8, "address_range": "^2507"}  # fmt: skip
_TEXT = (octets_tlv(Tag.MESSAGE_PAYLOAD, b"Flood"),)
_AREA = octets_tlv(Tag.BROADCAST_AREA_IDENTIFIER, b"\0Zone1")
_DESTINATIONS = (SmeAddress(1, 1, "447700900123"), DistributionList("STAFF"), SmeAddress(2, 8, "0772123456"))


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


_PDUS: list[tuple[Pdu, int]] = [
    (pdus.BindReceiver(**_BIND), 0),
    (pdus.BindTransmitter(**_BIND), 0),
    (BindTransceiver(**_BIND), 0),
    (pdus.BindReceiverResp("SMSC"), 0),
    (pdus.BindTransmitterResp("SMSC", (int_tlv(Tag.SC_INTERFACE_VERSION, 0x34),)), 0),
    (pdus.BindTransceiverResp(None), Status.ESME_RINVPASWD),
    (pdus.Outbind("SMSC", "secret"), 0),
    (pdus.Unbind(), 0),
    (pdus.UnbindResp(), 0),
    (pdus.EnquireLink(), 0),
    (pdus.EnquireLinkResp(), 0),
    (pdus.GenericNack(), Status.ESME_RINVCMDID),
    (pdus.AlertNotification(**{**_SRC, "source_addr": "s" * 64}, esme_addr_ton=1, esme_addr_npi=1, esme_addr="e" * 64,
                            tlvs=(int_tlv(Tag.MS_AVAILABILITY_STATUS, 2),)), 0),
    (SubmitSm(**_SHORT), 0),
    (SubmitSm(), 0),
    (pdus.SubmitSmResp(**_ID), 0),
    (pdus.SubmitSmResp(None), Status.ESME_RTHROTTLED),
    (DeliverSm(**_SHORT), 0),
    (DeliverSmResp(""), Status.ESME_RX_T_APPN),
    (SubmitMulti(dest_address=_DESTINATIONS, **_without(_SHORT, *_DST)), 0),
    (SubmitMultiResp(**_ID, unsuccess_sme=(UnsuccessSme(1, 1, "447700900123", 0x0B), UnsuccessSme(2, 8, "07", 0x58))),
     0),
    (pdus.DataSm(**{**_without(_SRC | _DST, "x"), **_LONG}, service_type="USSD", esm_class=2, registered_delivery=1,
                 data_coding=8, tlvs=(octets_tlv(Tag.MESSAGE_PAYLOAD, b"x" * 3000),)), 0),
    (pdus.DataSmResp(**_ID), 0),
    (pdus.QuerySm(**_ID, **_SRC), 0),
    (pdus.QuerySmResp(**_ID, final_date="260131093000004+", message_state=2, error_code=9), 0),
    (pdus.CancelSm("CMT", **_ID, **_SRC, **_DST), 0),
    (pdus.CancelSmResp(), Status.ESME_RCANCELFAIL),
    (pdus.ReplaceSm(**_ID, **_SRC, **{name: _SHORT[name] for name in (
        "schedule_delivery_time", "validity_period", "registered_delivery", "sm_default_msg_id", "short_message")}), 0),
    (pdus.ReplaceSmResp(), 0),
    (pdus.BroadcastSm("CMT", **_SRC, **_ID, **{name: _SHORT[name] for name in (
        "priority_flag", "schedule_delivery_time", "validity_period", "replace_if_present_flag", "data_coding",
        "sm_default_msg_id")}, tlvs=(_AREA, octets_tlv(Tag.BROADCAST_CONTENT_TYPE, b"\1\0\x10"), *_TEXT)), 0),
    (pdus.BroadcastSmResp(**_ID, tlvs=(int_tlv(Tag.BROADCAST_ERROR_STATUS, 0x10D), _AREA)), 0),
    (pdus.QueryBroadcastSm(**_ID, **_SRC, tlvs=(int_tlv(Tag.USER_MESSAGE_REFERENCE, 258),)), 0),
    (pdus.QueryBroadcastSmResp(**_ID, tlvs=(int_tlv(Tag.MESSAGE_STATE, 2), _AREA,
                                           int_tlv(Tag.BROADCAST_AREA_SUCCESS, 100))), 0),
    (pdus.CancelBroadcastSm("CBS", **_ID, **_SRC), 0),
    (pdus.CancelBroadcastSmResp(), 0),
]  # fmt: skip


def _expected(pdu: Pdu) -> list[tuple[str, str]]:
    """The fields of a PDU under tshark's names, as octets."""
    found: list[tuple[str, str]] = []
    for field in fields(pdu):  # type: ignore[arg-type]
        value = getattr(pdu, field.name)
        name = _NAMES.get(field.name, field.name)
        if field.name == "tlvs" or value is None or (isinstance(pdu, DeliverSmResp) and not value):
            continue  # tshark shows no field for the NUL of a deliver_sm_resp
        if isinstance(value, tuple):
            for entry in value:
                found += _expected(entry)
        elif isinstance(value, str):
            found.append((_date(name, value), value.encode("latin-1").hex() + "00"))
        elif isinstance(value, bytes):
            found += [("sm_length", f"{len(value):02x}"), *([(name, value.hex())] if value else [])]
        else:
            found.append((name, f"{value:08x}" if name == "error_status_code" else f"{value:02x}"))
    return found


def _date(name: str, value: str) -> str:
    """Durations have a name of their own, and an empty time is one."""
    times = name in ("schedule_delivery_time", "validity_period", "final_date")
    return f"{name}_r" if times and not value.endswith("+") else name


def test_every_pdu_is_read_as_it_was_meant(dissect: Dissect) -> None:
    packets = dissect(encode(pdu, 1000 + at, status) for at, (pdu, status) in enumerate(_PDUS))
    assert len(packets) == len(_PDUS)
    for at, ((pdu, status), packet) in enumerate(zip(_PDUS, packets, strict=True)):
        case = f"{type(pdu).__name__}, number {at}"
        assert packet.complaints == [], case
        assert packet.octets("command_id") == [f"{pdu.command_id:08x}"], case
        assert packet.octets("sequence_number") == [f"{1000 + at:08x}"], case
        answer = [f"{status:08x}"] if pdu.command_id >> 31 else []
        assert packet.octets("command_status") == answer, case
        expected = [(f"smpp.{name}", octets) for name, octets in _expected(pdu)]
        names = {name for name, _ in expected}
        body = [field for field in packet.fields if field[0] in names]
        assert body[: len(expected)] == expected, case
        assert packet.octets("opt_param_tag") == [f"{tag:04x}" for tag, _ in pdu.tlvs], case


def test_every_pdu_that_tshark_knows_is_among_them() -> None:
    of_33 = {CommandId.PARAM_RETRIEVE, CommandId.QUERY_LAST_MSGS, CommandId.QUERY_MSG_DETAILS}
    known = {kind for kind in pdus.ALL if kind.command_id & 0x7FFFFFFF not in of_33}
    assert {type(pdu) for pdu, _ in _PDUS} == known


# --- every TLV ------------------------------------------------------------------------------------------------------

# tshark 4.0 reads these with a width of its own, and then loses its place.
_MISREAD = {
    (Tag.SOURCE_TELEMATICS_ID, 2),
    (Tag.BROADCAST_REP_NUM, 2),
    (Tag.BROADCAST_END_TIME, 16),
    (Tag.MS_VALIDITY, 4),
}


def _samples() -> list[Tlv]:
    """Every TLV that the specifications know, at its shortest and its longest."""
    found: list[Tlv] = []
    for tag, (kind, low, high) in TLVS.items():
        for size in sorted({low, min(high, 1024)}):
            if (tag, size) in _MISREAD:
                continue
            if tag == Tag.BROADCAST_END_TIME:
                found.append(text_tlv(tag, "260131093000004+"))
            elif kind is TlvKind.CSTR:
                found.append(text_tlv(tag, "7" * (size - 1)))
            else:
                found.append(octets_tlv(tag, bytes(at % 255 + 1 for at in range(size))))
    return found


def test_every_tlv_is_read_as_it_was_meant(dissect: Dissect) -> None:
    """Alone with a vendor's after it, which is found only when the length of the first is understood."""
    vendors = octets_tlv(0x1401, b"mno")
    samples = _samples()
    for tlv, packet in zip(samples, dissect(encode(DeliverSm(tlvs=(tlv, vendors)), 1) for tlv in samples), strict=True):
        tag, value = tlv
        case = f"{Tag(tag).name} of {len(value)} octets"
        assert packet.complaints == [], case
        assert packet.octets("opt_param_tag") == [f"{tag:04x}", "1401"], case
        assert packet.octets("opt_param_len") == [f"{len(value):04x}", "0003"], case
        assert packet.octets("vendor_op") == [b"mno".hex()], case
        assert _first_value(packet, tag) == ("" if tag in _AS_TEXT else value.hex()), case


# Shown as a text without the octets.
_AS_TEXT = {Tag.CALLBACK_NUM, Tag.CALLBACK_NUM_ATAG}


def _first_value(packet: Packet, tag: int) -> str:
    """The value of the first TLV: one field, or several that make it up, of which bits share an octet."""
    names = [name for name, _ in packet.fields]
    start = names.index("smpp.opt_param_len") + 1
    parts = packet.fields[start : names.index("smpp.opt_param", start)]
    if tag == Tag.BROADCAST_AREA_IDENTIFIER:  # its first octet, then all of it
        parts = parts[1:]
    return "".join(dict.fromkeys(octets for _, octets in parts))


# --- what tshark makes of it as a whole -----------------------------------------------------------------------------


def test_a_long_message_in_segments(dissect: Dissect) -> None:
    segments = [
        SubmitSm(**_without(_SHORT, "short_message", "esm_class"), esm_class=0x40,
                 short_message=bytes((5, 0, 3, 0x2A, 2, part)) + b"Part")
        for part in (1, 2)
    ]  # fmt: skip
    packets = dissect(encode(segment, at + 1) for at, segment in enumerate(segments))
    assert [packet.complaints for packet in packets] == [[], []]
    assert [packet.octets("esm.submit.features") for packet in packets] == [["40"], ["40"]]
    assert [packet.octets("message") for packet in packets] == [["0500032a020150617274"], ["0500032a020250617274"]]


def test_tshark_does_find_fault(dissect: Dissect) -> None:
    """A frame against the rule that `encode` keeps unless told otherwise, and one that ends too soon."""
    once = SubmitSm(destination_addr="447700900123", tlvs=_TEXT)
    cut = encode(once, 1)[:-3]
    cut = len(cut).to_bytes(4, "big") + cut[4:]
    good, twice, short = dissect(
        [encode(once, 1), encode(replace(once, short_message=b"Flood"), 2, 0, LIMITS_GENEROUS), cut]
    )
    assert good.complaints == []
    assert good.octets("message_payload") == [b"Flood".hex()]
    assert any("only appear once" in complaint for complaint in twice.complaints)
    assert any("malformed" in complaint.lower() for complaint in short.complaints)


def test_several_frames_in_a_segment(dissect: Dissect) -> None:
    (packet,) = dissect([encode(pdus.EnquireLink(), 1) + encode(SubmitSm(**_SHORT), 2) + encode(pdus.Unbind(), 3)])
    assert packet.complaints == []
    assert packet.octets("command_id") == ["00000015", "00000004", "00000006"]
    assert packet.octets("sequence_number") == ["00000001", "00000002", "00000003"]
