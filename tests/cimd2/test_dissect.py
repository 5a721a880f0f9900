"""What we write, as tshark reads it: an independent reader of the same specification."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from smsc_relay.cimd2.answers import refusal
from smsc_relay.cimd2.codec import Checksum, Packet, encode, parameters
from smsc_relay.cimd2.constants import Operation, Tag
from tests.cimd2.frames import FRAMES, octets
from tests.cimd2.test_dialect import plan
from tests.tools import tool

PORT = 9971
Dissect = Callable[[Iterable[bytes]], list[tuple[dict[str, str], list[str]]]]


@pytest.fixture
def dissect(tmp_path: Path) -> Dissect:
    """Frames -> the fields that tshark finds in each, and its complaints."""

    def _dissect(frames: Iterable[bytes]) -> list[tuple[dict[str, str], list[str]]]:
        capture = tmp_path / "cimd2.pcap"
        capture.write_bytes(_pcap(frames))
        how = ("-r", capture, "-d", f"tcp.port=={PORT},cimd")
        told = tool("tshark").run(*how, "-T", "pdml")
        lines = tool("tshark").run(*how, "-T", "fields", "-e", "_ws.col.Info").splitlines()
        packets = ET.fromstring(told).iter("packet")
        return [_packet(packet, line) for packet, line in zip(packets, lines, strict=True)]

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


def _packet(packet: ET.Element, line: str) -> tuple[dict[str, str], list[str]]:
    protocols = [one for one in packet.iter("proto") if one.get("name") == "cimd"]
    fields = {
        str(field.get("name")): str(field.get("show", "")) for one in protocols for field in one.iter("field")
    }  # fmt: skip
    complaints = [name for one in packet.iter("proto") if "malformed" in (name := str(one.get("name")))]
    complaints += [str(one.get("showname")) for one in packet.iter("field") if one.get("name") == "_ws.expert.message"]
    if "invalid checksum" in line:
        complaints.append("checksum")
    if not protocols:
        complaints.append("not CIMD")
    return fields, complaints


def _written(**more: Any) -> list[Packet]:
    """Submits of every kind."""
    texts = ["Hi {€} _@$ΔΩäöü", "ش ☀ 😀", "x" * 400, "ش" * 150]
    return [Packet(Operation.SUBMIT, 3, segment.body) for text in texts for segment in plan(text, **more).segments]


EVERYTHING: dict[str, Any] = {
    "more_messages": True, "validity": 86_400, "protocol_id": 64, "reply_path": True, "cancel_enabled": False,
    "tariff_class": 12, "service_description": 3, "priority": 1, "long_messages": "udh16",
}  # fmt: skip
_OTHERS = [
    Packet(Operation.LOGIN, 1, parameters(
        (Tag.USER, "ilha"), (Tag.PASSWORD, "s3cr3t"), (Tag.SUBADDRESS, 3), (Tag.WINDOW, 20))),
    Packet(Operation.LOGOUT, 5),
    Packet(Operation.DELIVERY_REQUEST, 7, parameters((Tag.REQUEST_MODE, 2))),
    Packet(Operation.SUBMIT_RESPONSE, 9, refusal(300)),
    Packet(Operation.GENERAL_ERROR, 11, refusal(1)),
    Packet(Operation.NACK, 13),
    Packet(Operation.ALIVE, 15),
    Packet(Operation.ALIVE_RESPONSE, 2),
    Packet(Operation.DELIVER_RESPONSE, 4, refusal(710)),
    Packet(Operation.STATUS_REPORT_RESPONSE, 6),
]  # fmt: skip


def test_every_packet_is_read_as_it_was_meant(dissect: Dissect) -> None:
    packets = [*_written(), *_written(sender="ACME", **EVERYTHING), *_written(national_languages=["turkish"]), *_OTHERS]
    found = dissect(encode(packet) for packet in packets)
    assert len(found) == len(packets)
    for packet, (fields, complaints) in zip(packets, found, strict=True):
        assert complaints == [], packet
        assert int(fields["cimd.opcode"]) == packet.operation
        assert int(fields["cimd.pnumber"]) == packet.number
        for tag, name in ((21, "da"), (10, "ui"), (50, "vpr"), (56, "srr"), (900, "errcode")):
            if packet.get(tag) is not None:
                assert fields.get(f"cimd.{name}") == packet.get(tag), (packet, name)


@pytest.mark.parametrize("how", ["upper", "lower"])
def test_checksums(dissect: Dissect, how: Checksum) -> None:
    packets = [*_written(**EVERYTHING), *_OTHERS]
    assert all(not complaints for _, complaints in dissect(encode(packet, how) for packet in packets))


def test_a_wrong_checksum_would_have_been_noticed(dissect: Dissect) -> None:
    ((_, complaints),) = dissect([octets(FRAMES["40 alive client"]).replace(b"3B", b"3C")])
    assert complaints == ["checksum"]
