"""Kannel, which knows nothing of us, is a client of the simulated SMSC: both ways, over every protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from smsc_relay.simulator import Simulator
from tests.peers.kannel import Kannel
from tests.peers.tee import Tee
from tests.web import Asked, Site, serve

PHONE = "250788123123"
SHORT_CODE = "8080"
GSM = "Muraho! {€} @ £ [1|2] ñ"
ARABIC = "رسالة قصيرة"
LONG = "Ijambo rirerire cyane, ryandikwa mu bice byinshi kandi rigasomwa nk'ubutumwa bumwe. " * 4
LONG_ARABIC = "رسالة طويلة جدا تصل على عدة أجزاء وتقرأ كرسالة واحدة فقط. " * 3
DELIVERED, UNDELIVERED, ACCEPTED, REFUSED = "1", "2", "8", "16"  # what Kannel calls them in a dlr-url's %d


@dataclass(frozen=True)
class Protocol:
    """How Kannel is told of the simulator, and what the simulator is told of Kannel."""

    port: Callable[[Simulator], int]
    smsc: dict[str, object]  # lines of Kannel's group `smsc`
    dissector: str  # tshark's name of the protocol,
    operation: str  # of the field that says which operation a frame is,
    submit: str  # and its value in a submit,
    both: bool = False  # or in its answer too
    framed: bool = True  # by STX and ETX
    long: tuple[str, ...] = ("udh8",)  # how long MOs are sent
    account: str = "palma"
    tries_again: bool = True  # what was refused for the moment


SMPP = Protocol(
    lambda simulator: simulator.smpp_port,
    {
        "smsc": "smpp", "smsc-username": "palma", "smsc-password": "secret", "system-type": "VMA",
        "transceiver-mode": "true", "interface-version": 34, "enquire-link-interval": 10,
        "source-addr-autodetect": "true", "msg-id-type": 0,
    },
    "smpp",
    "smpp.command_id",
    "0x00000004",
    framed=False,
    long=("udh8", "udh16", "sar", "payload"),
)  # fmt: skip
UCP = Protocol(
    lambda simulator: simulator.ucp_port,
    {"smsc": "emi", "smsc-username": "8080", "smsc-password": "secret", "keepalive": 50, "my-number": SHORT_CODE},
    "ucp",
    "ucp.hdr.OT",
    "51",
    both=True,
    long=("udh8", "udh16"),
    account="8080",
    tries_again=False,
)
CIMD2 = Protocol(
    lambda simulator: simulator.cimd2_port,
    {
        "smsc": "cimd2", "smsc-username": "palma", "smsc-password": "secret", "keepalive": 10, "no-dlr": "false",
        "sender-prefix": "never",
    },
    "cimd",
    "cimd.opcode",
    "3",
    tries_again=False,
)  # fmt: skip
PROTOCOLS = [pytest.param(SMPP, id="smpp"), pytest.param(UCP, id="ucp"), pytest.param(CIMD2, id="cimd2")]
every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


@dataclass
class Both:
    """The two ends, and the site that Kannel calls."""

    smsc: Simulator
    kannel: Kannel
    site: Site
    tee: Tee  # between them

    def receipts(self) -> list[tuple[int, str]]:
        """(number of the message, state) in order."""
        told = [asked.form for asked in list(self.site.asked) if asked.path == "/dlr"]
        return [(int(form["number"]), form["state"]) for form in told]

    def mos(self) -> list[tuple[str, str, str]]:
        """(from, to, text) in order."""
        return [_mo(asked) for asked in list(self.site.asked) if asked.path == "/mo"]

    async def until(self, what: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait for what the site has been told."""
        async with asyncio.timeout(seconds):
            while not what():
                await asyncio.sleep(0.02)


def _mo(asked: Asked) -> tuple[str, str, str]:
    """Kannel writes the octets of UCS-2 as they are, and everything else in UTF-8."""
    fields = dict(parse_qsl(asked.query, encoding="latin-1"))
    text = fields["text"].encode("latin-1").decode("utf-16-be" if fields["coding"] == "2" else "utf-8")
    return fields["from"].removeprefix("+"), fields["to"], text


@asynccontextmanager
async def both_ends(work: Path, protocol: Protocol) -> AsyncIterator[Both]:
    """Kannel, bound to a simulator."""
    script = {"accounts": {protocol.account: {"password": "secret"}}, "behaviour": {"receipts": {"delay": 0.05}}}
    with serve() as site:
        async with (
            Simulator(script, control_port=None) as smsc,
            Tee(protocol.port(smsc), framed=protocol.framed) as tee,
            Kannel(work, {**protocol.smsc, "port": tee.port}, site.url) as kannel,
        ):
            yield Both(smsc, kannel, site, tee)


@every_protocol
async def test_messages_of_every_kind_arrive_and_are_receipted(tmp_path: Path, protocol: Protocol) -> None:
    texts = {1: (GSM, 0), 2: (ARABIC, 2), 3: (LONG.strip(), 0), 4: (LONG_ARABIC.strip(), 2)}
    async with both_ends(tmp_path, protocol) as it:
        for number, (text, coding) in texts.items():
            await it.kannel.send(text, PHONE, number=number, coding=coding)
        await it.smsc.wait_for(lambda smsc: sum(one.complete for one in smsc.messages) == len(texts))
        arrived = {one.text for one in it.smsc.messages}
        await it.until(lambda: {number for number, state in it.receipts() if state == DELIVERED} == set(texts))
        assert arrived == {text for text, _ in texts.values()}
        assert {(one.source, one.to) for one in it.smsc.messages} == {(SHORT_CODE, PHONE)}
        assert {number for number, state in it.receipts() if state == ACCEPTED} == set(texts)
    operations = it.tee.dissected(tmp_path / "pcap", protocol.dissector, protocol.operation)
    segments = sum(len(one.segments) for one in it.smsc.messages)
    assert operations.count(protocol.submit) == segments * (2 if protocol.both else 1)


@every_protocol
async def test_what_is_refused_or_not_delivered_is_told(tmp_path: Path, protocol: Protocol) -> None:
    """By the simulator's suffixes: 0011 no such destination, 0105 not delivered, 0014 queue full the first time."""
    async with both_ends(tmp_path, protocol) as it:
        for number, suffix in enumerate(("0011", "0105", "0014"), 1):
            await it.kannel.send("hello", f"25078812{suffix}", number=number)
        full = DELIVERED if protocol.tries_again else REFUSED
        final = {(1, REFUSED), (2, UNDELIVERED), (3, full)}
        await it.until(lambda: final <= set(it.receipts()))
        accepted = {2, 3} if protocol.tries_again else {2}
        assert {number for number, state in it.receipts() if state == ACCEPTED} == accepted
    assert it.tee.dissected(tmp_path / "pcap", protocol.dissector, protocol.operation).count(protocol.submit) >= 3


@every_protocol
async def test_mos_of_every_kind_arrive(tmp_path: Path, protocol: Protocol) -> None:
    short = [GSM, ARABIC, "1", "1"]
    long = [(how, text.strip()) for how in protocol.long for text in (LONG, LONG_ARABIC)]
    texts = [*short, *(text for _, text in long)]
    async with both_ends(tmp_path, protocol) as it:
        for text in short:
            it.smsc.inject(source=PHONE, to=SHORT_CODE, text=text)
        for how, text in long:
            it.smsc.inject(source=PHONE, to=SHORT_CODE, text=text, long=how)
        await it.smsc.wait_for(lambda smsc: all(mo.state == "acknowledged" for mo in smsc.mos))
        await it.until(lambda: len(it.mos()) == len(texts))
        assert sorted(it.mos()) == sorted((PHONE, SHORT_CODE, text) for text in texts)
    assert it.tee.dissected(tmp_path / "pcap", protocol.dissector, protocol.operation)


@every_protocol
async def test_the_connection_drops_and_nothing_is_lost(tmp_path: Path, protocol: Protocol) -> None:
    async with both_ends(tmp_path, protocol) as it:
        await it.kannel.send("1", PHONE, number=1)
        await it.smsc.wait_for(lambda smsc: len(smsc.messages) == 1)
        it.smsc.disconnect("reset")
        it.smsc.inject(source=PHONE, to=SHORT_CODE, text="while you were away", account=protocol.account)
        await it.kannel.send("2", PHONE, number=2)
        await it.smsc.wait_for(lambda smsc: len(smsc.messages) == 2, 20)
        await it.until(lambda: len(it.mos()) == 1 and (2, DELIVERED) in it.receipts())
        assert [one.text for one in it.smsc.messages] == ["1", "2"]
    assert it.tee.dissected(tmp_path / "pcap", protocol.dissector, protocol.operation).count(protocol.submit) >= 2
