"""What the PDU log says of octets, wherever in the stream it begins to listen; and what it never says."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from smsc_relay import dialects, pdu_log
from smsc_relay.cimd2.codec import Packet
from smsc_relay.cimd2.codec import encode as cimd2
from smsc_relay.protocol import Transcript
from smsc_relay.smpp.codec import encode as smpp
from smsc_relay.smpp.pdus import BindTransceiver, DeliverSm, EnquireLink, SubmitSm, SubmitSmResp, octets_tlv
from smsc_relay.ucp.codec import Frame
from smsc_relay.ucp.codec import encode as ucp
from tests.lane import logged
from tests.relay.toy import DIALECT as TOY

SUBMIT = SubmitSm(source_addr="ACME", destination_addr="250788123123", short_message=b"Love is patient",
                  tlvs=(octets_tlv(0x1400, b"secret"),))  # fmt: skip
STREAMS = {
    "SMPP": [
        smpp(BindTransceiver(system_id="ilha", password="hunter2"), 1),
        smpp(SUBMIT, 2),
        smpp(DeliverSm(source_addr="250788123123", short_message=b"Yego mwana"), 3),
        smpp(SubmitSmResp("0a1b"), 2, 0x58),
        smpp(EnquireLink(), 4),
    ],
    "UCP": [
        ucp(Frame(1, False, 60, ("ilha", "6", "5", "1", "68756E74657232", "", "0100", "", "", "", "", ""))),
        ucp(Frame(2, False, 51, ("250788123123", "8080", "4C6F7665"))),
        ucp(Frame(2, True, 51, ("A", "", "250788123123:310126093106"))),
    ],
    "CIMD2": [
        cimd2(Packet(1, 1, ((10, "ilha"), (11, "hunter2")))),
        cimd2(Packet(3, 3, ((21, "250788123123"), (33, "Love is patient")))),
        cimd2(Packet(53, 3, ((900, "300"),))),
    ],
}
HIDDEN = ("hunter2", "68756E74657232", "Love", "4C6F7665", "4c6f7665", "Yego", "250788123123", "secret", "ACME")


@pytest.mark.parametrize("code", STREAMS)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_every_pdu_has_a_line_that_hides_what_it_carries(code: str, size: int) -> None:
    transcript = dialects.load(code).transcript()
    stream = b"".join(STREAMS[code])
    lines = [line for at in range(0, len(stream), size) for line in transcript.feed(stream[at : at + size])]
    assert len(lines) == len(STREAMS[code])
    said = json.dumps(lines)
    assert [hidden for hidden in HIDDEN if hidden in said] == []
    assert "flaw" not in said


def test_what_a_line_says() -> None:
    bind, submit, _, answer, _ = [line for pdu in STREAMS["SMPP"] for line in _smpp().feed(pdu)]
    assert (bind["pdu"], bind["sequence"], bind["octets"]) == ("BindTransceiver", 1, len(STREAMS["SMPP"][0]))
    assert submit["header"] == STREAMS["SMPP"][1][:16].hex()
    assert (submit["sm_length"], submit["tlvs"], submit["data_coding"]) == (15, ["0x1400:6"], 0)
    assert (answer["status"], answer["message_id"]) == ("ESME_RTHROTTLED", "0a1b")
    transcript = dialects.load("UCP").transcript()
    _, submit, answer = [line for frame in STREAMS["UCP"] for line in transcript.feed(frame)]
    assert (submit["pdu"], submit["lengths"], answer["answer"]) == ("O51", "12/4/8", "A")
    transcript = dialects.load("CIMD2").transcript()
    _, submit, answer = [line for packet in STREAMS["CIMD2"] for line in transcript.feed(packet)]
    assert (submit["pdu"], submit["tags"], answer["error"]) == ("03:003", ["021:12", "033:15"], 300)


def _smpp() -> Transcript:
    return dialects.load("SMPP").transcript()


@pytest.mark.parametrize("code", STREAMS)
@pytest.mark.parametrize("cut", [1, 3, 9, 20])
def test_it_begins_in_the_middle(code: str, cut: int) -> None:
    transcript = dialects.load(code).transcript()
    stream = b"".join(STREAMS[code])
    lines = transcript.feed(stream[cut:])
    assert len(lines) == len(STREAMS[code]) - 1
    assert [hidden for hidden in HIDDEN if hidden in json.dumps(lines)] == []


@pytest.mark.parametrize("code", STREAMS)
@pytest.mark.parametrize("make", [lambda n: bytes([n]) * 300, lambda n: bytes(range(n, 256)) * 3])
def test_octets_that_are_nothing_do_no_harm(code: str, make: Callable[[int], bytes]) -> None:
    transcript = dialects.load(code).transcript()
    for n in range(256):
        transcript.feed(make(n))


async def test_a_flood_is_cut_short_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdu_log, "MOST", 3)
    log = pdu_log.PduLog("fast", "1-transceiver", TOY, 2**53)
    log._loop = _Clock()  # type: ignore[assignment]
    with logged() as lines:
        log.heard(b'{"op": "a"}\n' * 5)
        _Clock.now = 1
        log.said(b'{"op": "b"}\n')
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(one["pdu"], one.get("left_out", 0)) for one in found] == [("a", 0)] * 3 + [("b", 2)]


class _Clock:
    now = 0

    def time(self) -> float:
        return self.now
