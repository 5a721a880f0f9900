"""Everything that the relay and the simulated SMSC say to each other over UCP and CIMD2, as tshark reads it.

No frame is malformed or has a wrong checksum, every request is answered, and the fields are what was meant.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chalicelib import registry
from smsc_relay.relay import Relay
from smsc_relay.simulator import Simulator
from tests.peers.tee import Tee
from tests.relay.conftest import QUICK, World, eventually
from tests.support import CHANNEL

ACCOUNT, SHORT_CODE, PHONE = "1234", "8080", "250788123123"
GSM, GSM_OCTETS = "Love {€} [1|2] $_", "Love \x1b(\x1be\x1b) \x1b<1\x1b@2\x1b> \x02\x11"
UCS2 = "☀ رسالة"
LONG = "Ijambo rirerire cyane, ryandikwa mu bice byinshi. " * 5
LONG_UCS2 = "☀" * 150
TURKISH, TURKISH_OCTETS = "ışık", "\x1bi\x1bs\x1bik"
SUBMITS = {
    "250788123001": GSM,
    "250788123002": UCS2,
    "250788123003": LONG,
    "250788123004": LONG_UCS2,
    "250788120011": "no such number",
    "250788120105": "not delivered",
    "250788120089": "too fast, three times",
    "250788123177": "not understood, once",
}
PARTS = {"250788123003": 2, "250788123004": 3}  # of what is long
MOS: tuple[dict[str, str], ...] = (
    {"text": GSM}, {"text": UCS2}, {"text": LONG}, {"text": TURKISH, "language": "turkish"},
)  # fmt: skip
SCRIPT = {
    "accounts": {ACCOUNT: {"password": "secret"}},
    "behaviour": {"receipts": {"delay": 0}, "link": {"enquire_link": 0.3}},
    "destinations": {"177": {"status": "RSYSERR", "nack": True, "times": 1}},
}
Frame = dict[str, list[str]]


@dataclass(frozen=True)
class Dialogue:
    """What has been said, frame by frame. Fields are named as tshark does, without the protocol."""

    frames: list[Frame]

    def having(self, **fields: str) -> list[Frame]:
        """The frames with these values; `by` is "us" or "them"."""
        return [one for one in self.frames if all(one[name][:1] == [value] for name, value in fields.items())]


@asynccontextmanager
async def exchange(
    world: World, kind: str, port: Callable[[Simulator], int], script: dict[str, Any], **config: Any
) -> AsyncIterator[tuple[Simulator, Tee]]:
    """A relay with an account at the simulator, and what is between them; both are over after the block."""
    async with Simulator(script, control_port=None) as smsc, Tee(port(smsc), framed=True) as tee:
        given = {"host": "127.0.0.1", "port": tee.port, "username": ACCOUNT, "response_timeout": 5,
                 "reconnect_min": 0.1, "keepalive": 0.3, "keepalive_fixed": True, **config}  # fmt: skip
        world.aws.aggregator("fast", kind, config=given, secrets={"password": "secret"})
        world.aws.channel(CHANNEL, type=kind)
        registry.reset()
        relay = Relay(timing=QUICK)
        task = asyncio.create_task(relay.run())
        try:
            yield smsc, tee
        finally:
            relay.stop()
            assert await asyncio.wait_for(task, 40)


async def everything(world: World, smsc: Simulator) -> None:
    """Submits and MOs of every kind, and an answer to all."""
    for number, (to, text) in enumerate(SUBMITS.items(), 1):
        world.put(number, f"+{to}", text)
    await smsc.wait_for(lambda it: bool(it.sessions))
    for message in MOS:
        smsc.inject(source=PHONE, to=SHORT_CODE, **message)
    await world.lane_empty()
    await smsc.wait_for(lambda it: all(mo.state == "acknowledged" for mo in it.mos))
    receipts = len(smsc.submits)
    await eventually(lambda: smsc.stats[ACCOUNT].get("delivered") == receipts + sum(len(mo.parts) for mo in smsc.mos))


def told(tee: Tee, capture: Path, protocol: str, *fields: str) -> Dialogue:
    frames = tee.frames(capture, protocol, "ip.src", *(f"{protocol}.{name}" for name in fields))
    short = [{name.removeprefix(f"{protocol}."): value for name, value in one.items()} for one in frames]
    return Dialogue([{**one, "by": ["us" if one["ip.src"] == ["127.0.0.1"] else "them"]} for one in short])


# --- UCP ------------------------------------------------------------------------------------------------------------

UCP_FIELDS = (
    "hdr.TRN", "hdr.O_R", "hdr.OT", "parm.AdC", "parm.OAdC", "parm.MT", "parm.AMsg", "parm.NRq", "parm.MCLs",
    "xser.service", "xser.data", "parm.Dst", "parm.Rsn", "parm.ACK", "parm.EC", "parm.SM",
)  # fmt: skip
REQUEST, RESULT = {"hdr.O_R": "'O'"}, {"hdr.O_R": "'R'"}


async def test_ucp(world: World, tmp_path: Path) -> None:
    config = {"national_languages": ["turkish"]}
    async with exchange(world, "UCP", lambda smsc: smsc.ucp_port, SCRIPT, **config) as (smsc, tee):
        await everything(world, smsc)
        world.put(20, "+250788123005", TURKISH * 20)
        await world.lane_empty()
    said = told(tee, tmp_path / "pcap", "ucp", *UCP_FIELDS)

    (login,) = said.having(**REQUEST, **{"hdr.OT": "60"})
    assert (login["by"], login["parm.OAdC"]) == (["us"], [ACCOUNT])
    for by, other in (("us", "them"), ("them", "us")):
        asked = Counter((one["hdr.OT"][0], one["hdr.TRN"][0]) for one in said.having(by=by, **REQUEST))
        answered = Counter((one["hdr.OT"][0], one["hdr.TRN"][0]) for one in said.having(by=other, **RESULT))
        assert sum((asked - answered).values()) <= 1, "only an alert may go unanswered, when the link ends"
        assert not answered - asked
        assert said.having(by=by, **REQUEST, **{"hdr.OT": "31"}), "both sides ask whether the other lives"

    submits = said.having(by="us", **REQUEST, **{"hdr.OT": "51"})
    assert {one["parm.OAdC"][0] for one in submits} == {SHORT_CODE}
    assert {one["parm.NRq"][0] for one in submits} == {"'1'"}
    to = Counter(one["parm.AdC"][0] for one in submits)
    assert to == {**dict.fromkeys(SUBMITS, 1), **PARTS, "250788120089": 4, "250788123177": 2, "250788123005": 1}

    def sent(phone: str) -> list[Frame]:
        return said.having(by="us", **REQUEST, **{"parm.AdC": phone})

    (gsm,), (ucs2,), (national,) = sent("250788123001"), sent("250788123002"), sent("250788123005")
    assert (gsm["parm.MT"], gsm["parm.AMsg"], gsm["xser.service"]) == (["'3'"], [GSM_OCTETS], [])
    assert (ucs2["parm.MT"], ucs2["xser.service"], ucs2["xser.data"]) == (["'4'"], ["0x02"], ["08"])
    assert (national["parm.MT"], national["xser.data"]) == (["'3'"], ["03240101"])
    assert national["parm.AMsg"] == [TURKISH_OCTETS * 20]
    assert "".join(one["parm.AMsg"][0] for one in sent("250788123003")) == LONG
    for phone, total in PARTS.items():
        headers = [one["xser.data"][0] for one in sent(phone)]
        assert [header[-4:] for header in headers] == [f"{total:02d}{number:02d}" for number in range(1, total + 1)]
        assert len({header[:-2] for header in headers}) == 1, "one reference"

    results = said.having(by="them", **RESULT, **{"hdr.OT": "51"})
    refused = Counter((one["parm.EC"][0], one["parm.SM"][0]) for one in results if one["parm.ACK"] == ["'N'"])
    assert refused == {("6", "AdC invalid"): 1, ("4", "Throughput exceeded"): 3, ("55", "System error"): 1}
    names = Counter(one["parm.SM"][0].partition(":")[0] for one in results if one["parm.ACK"] == ["'A'"])
    assert names == Counter(segment.to for segment in smsc.submits)

    notified = said.having(by="them", **REQUEST, **{"hdr.OT": "53"})
    assert Counter(one["parm.OAdC"][0] for one in notified) == names
    assert [(one["parm.OAdC"][0], one["parm.Rsn"][0]) for one in notified if one["parm.Dst"] != ["'0'"]] == [
        ("250788120105", "108")
    ]

    mos = said.having(by="them", **REQUEST, **{"hdr.OT": "52"})
    assert {(one["parm.OAdC"][0], one["parm.AdC"][0]) for one in mos} == {(PHONE, SHORT_CODE)}
    assert [one["parm.MT"][0] for one in mos] == ["'3'", "'4'", "'3'", "'3'", "'3'"]
    texts = [one["parm.AMsg"][0] for one in mos if one["parm.AMsg"]]
    assert (texts[0], "".join(texts[1:3]), texts[3]) == (GSM_OCTETS, LONG, TURKISH_OCTETS)
    assert [one["xser.data"] for one in mos[:2]] == [[], ["08"]]
    assert mos[-1]["xser.data"] == ["03240101"]


@pytest.mark.parametrize("operation", ["01", "30"])
async def test_ucp_by_operations_of_old(world: World, tmp_path: Path, operation: str) -> None:
    script = {**SCRIPT, "behaviour": {"ucp": {"mo_operation": operation}, "receipts": {"when": "never"}}}
    async with exchange(world, "UCP", lambda smsc: smsc.ucp_port, script, operation=operation) as (smsc, tee):
        world.put(1, "+250788123001", GSM)
        world.put(2, "+250788120011", "no such number")
        await world.lane_empty()
        smsc.inject(source=PHONE, to=SHORT_CODE, text="STOP")
        await smsc.wait_for(lambda it: all(mo.state == "acknowledged" for mo in it.mos))
    said = told(tee, tmp_path / "pcap", "ucp", *UCP_FIELDS)
    number = {"hdr.OT": str(int(operation))}
    found = {one["parm.AdC"][0]: one["parm.AMsg"] for one in said.having(by="us", **REQUEST, **number)}
    assert found == {"250788123001": [GSM_OCTETS], "250788120011": ["no such number"]}
    assert sorted(one["parm.ACK"][0] for one in said.having(by="them", **RESULT, **number)) == ["'A'", "'N'"]
    (mo,) = said.having(by="them", **REQUEST, **number)
    assert (mo["parm.OAdC"], mo["parm.AdC"], mo["parm.AMsg"]) == ([PHONE], [SHORT_CODE], ["STOP"])
    assert [one["parm.ACK"] for one in said.having(by="us", **RESULT, **number)] == [["'A'"]]


# --- CIMD2 ----------------------------------------------------------------------------------------------------------

CIMD2_FIELDS = (
    "opcode", "pnumber", "ui", "ws", "da", "oa", "ud", "udb", "udh", "dcs", "stcode", "sterrcode", "scts", "errcode",
    "errtext", "srr",
)  # fmt: skip
LOGIN, LOGOUT, SUBMIT, DELIVER, REPORT, ALIVE, NACK, ANSWER = 1, 2, 3, 20, 23, 40, 99, 50


async def test_cimd2(world: World, tmp_path: Path) -> None:
    async with exchange(world, "CIMD2", lambda smsc: smsc.cimd2_port, SCRIPT, window=10) as (smsc, tee):
        await everything(world, smsc)
    said = told(tee, tmp_path / "pcap", "cimd", *CIMD2_FIELDS)

    def of(by: str, operation: int, **fields: str) -> list[Frame]:
        return said.having(by=by, opcode=str(operation), **fields)

    (login,), (_,) = of("us", LOGIN), of("us", LOGOUT)
    assert (login["ui"], login["ws"]) == ([ACCOUNT], ["10"])
    for by, other, operations in (
        ("us", "them", (LOGIN, LOGOUT, SUBMIT, ALIVE)),
        ("them", "us", (DELIVER, REPORT, ALIVE)),
    ):
        for operation in operations:
            asked = Counter(one["pnumber"][0] for one in of(by, operation))
            answers = of(other, operation + ANSWER) + (of(other, NACK) if operation == SUBMIT else [])
            answered = Counter(one["pnumber"][0] for one in answers)
            assert asked, f"{operation} by {by}"
            assert not answered - asked
            assert sum((asked - answered).values()) <= (operation == ALIVE), "an alive when the link ends"

    to = Counter(one["da"][0].removeprefix("+") for one in of("us", SUBMIT))
    assert to == {**dict.fromkeys(SUBMITS, 1), **PARTS, "250788120089": 4, "250788123177": 2}
    assert {one["oa"][0] for one in of("us", SUBMIT)} == {SHORT_CODE}
    assert len(of("them", NACK)) == 1

    def sent(phone: str) -> list[Frame]:
        return of("us", SUBMIT, da=f"+{phone}")

    (gsm,), (ucs2,) = sent("250788123001"), sent("250788123002")
    assert (gsm["ud"], gsm["udb"]) == (["Love \x1b(\x1be\x1b) \x1b<1\x1b@2\x1b> $_"], [])
    assert (ucs2["dcs"], ucs2["udb"]) == (["0x08"], [UCS2.encode("utf-16-be").hex().upper()])
    assert "".join(one["ud"][0] for one in sent("250788123003")) == LONG
    assert "".join(one["udb"][0] for one in sent("250788123004")) == LONG_UCS2.encode("utf-16-be").hex().upper()
    for phone, total in PARTS.items():
        headers = [one["udh"][0] for one in sent(phone)]
        assert [header[-4:] for header in headers] == [f"{total:02d}{number:02d}" for number in range(1, total + 1)]
        assert len({header[:-2] for header in headers}) == 1, "one reference"

    answers = of("them", SUBMIT + ANSWER)
    errors = Counter((one["errcode"][0], one["errtext"][0]) for one in answers if one["errcode"])
    assert {code: count for (code, _), count in errors.items()} == {"300": 1, "10": 3}
    names = Counter((one["da"][0], one["scts"][0]) for one in answers if one["scts"])
    assert Counter(to for to, _ in names) == Counter(f"+{segment.to.removeprefix('+')}" for segment in smsc.submits)
    reports = of("them", REPORT)
    assert Counter((one["da"][0], one["scts"][0]) for one in reports) == names
    assert [(one["da"][0], one["stcode"], one["sterrcode"]) for one in reports if one["stcode"] != ["4"]] == [
        ("+250788120105", ["3"], ["5"])
    ]

    mos = of("them", DELIVER)
    assert {(one["oa"][0].removeprefix("+"), one["da"][0]) for one in mos} == {(PHONE, SHORT_CODE)}
    assert mos[1]["udb"] == [UCS2.encode("utf-16-be").hex().upper()]
    assert "".join(one["ud"][0] for one in mos[2:4]) == LONG
    assert (mos[4]["ud"], mos[4]["udh"]) == ([TURKISH_OCTETS], ["03240101"])
