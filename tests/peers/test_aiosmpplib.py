"""aiosmpplib, which knows nothing of us, is a client of the simulated SMSC: both ways, every frame judged by tshark."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiosmpplib import (  # type: ignore[import-untyped]
    ESME,
    NPI,
    TON,
    AbstractHook,
    DeliverSm,
    PhoneNumber,
    SmppCommandStatus,
    SubmitSm,
    SubmitSmResp,
)

from smsc_relay.simulator import Simulator
from tests.peers.relayed import ARABIC, GSM, LONG, LONG_ARABIC, PHONE, SHORT_CODE, UDHI
from tests.peers.tee import Tee

SUBMIT_SM, DELIVER_SM_RESP = "0x00000004", "0x80000005"
RECEIPTED = {"accounts": {"palma": {"password": "secret"}}, "behaviour": {"receipts": {"delay": 0.05}}}


class Client(AbstractHook):  # type: ignore[misc] # untyped
    """aiosmpplib's ESME, and what it has heard."""

    def __init__(self, port: int) -> None:
        self.answers: dict[str, int] = {}  # status by log_id
        self.receipts: list[tuple[str, str]] = []  # (log_id, stat)
        self.mos: list[tuple[str, str, str]] = []  # (from, to, text)
        self.errors: list[str] = []
        self.esme = ESME("127.0.0.1", port, "palma", "secret", hook=self, log_level="CRITICAL")

    async def sending(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
        """Nothing to remember: the capture has it."""

    async def send_error(self, smpp_message: Any, error: Exception, client_id: str) -> None:
        self.errors.append(f"{smpp_message}: {error!r}")

    async def received(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
        if isinstance(smpp_message, SubmitSmResp):
            self.answers[smpp_message.log_id] = int(smpp_message.command_status)
        elif isinstance(smpp_message, DeliverSm) and smpp_message.is_receipt():
            self.receipts.append((smpp_message.log_id, smpp_message.parse_receipt()["stat"]))
        elif isinstance(smpp_message, DeliverSm):
            text = smpp_message.short_message or smpp_message.message_payload
            self.mos.append((smpp_message.source.number, smpp_message.destination.number, text))

    async def send(self, name: str, text: str, to: str = PHONE, **fields: Any) -> None:
        """Have it send a message."""
        message = SubmitSm(
            short_message=text,
            source=PhoneNumber(SHORT_CODE, TON.UNKNOWN, NPI.UNKNOWN),
            destination=PhoneNumber(to, TON.INTERNATIONAL, NPI.ISDN),
            log_id=name,
            **fields,
        )
        await self.esme.broker.enqueue(message)

    async def until(self, what: Callable[[], object]) -> None:
        """Wait for what it hears."""
        async with asyncio.timeout(20):
            while not what():
                assert not self.errors
                await asyncio.sleep(0.02)


@asynccontextmanager
async def both_ends(capture: Path, operations: list[str]) -> AsyncIterator[tuple[Simulator, Client]]:
    """The client, bound to a simulator; the operations of what they have exchanged go into `operations`."""
    async with Simulator(RECEIPTED, control_port=None) as smsc, Tee(smsc.smpp_port) as tee:
        client = Client(tee.port)
        running = asyncio.create_task(client.esme.start())
        try:
            await smsc.wait_for(lambda it: len(it.sessions) == 1)
            yield smsc, client
        finally:
            await client.esme.stop()
            await asyncio.gather(running, return_exceptions=True)
    operations += tee.dissected(capture, "smpp", "smpp.command_id")


async def test_messages_of_every_kind_arrive_and_are_receipted(tmp_path: Path) -> None:
    cut: dict[str, Any] = {"auto_message_payload": False}
    sent: dict[str, tuple[str, dict[str, Any]]] = {
        "gsm": (GSM, {}),
        "ucs2": (ARABIC, {"encoding": "ucs2"}),
        "latin": ("Grüße à São Tomé", {"encoding": "latin_1"}),
        "udh": (LONG, {**cut, "esm_class": UDHI}),
        "sar": (LONG, cut),
        "udh ucs2": (LONG_ARABIC, {**cut, "esm_class": UDHI, "encoding": "ucs2"}),
        "payload": (LONG_ARABIC, {"encoding": "ucs2"}),
    }
    operations: list[str] = []
    async with both_ends(tmp_path / "pcap", operations) as (smsc, client):
        for name, (text, fields) in sent.items():
            await client.send(name, text, **fields)
        await smsc.wait_for(lambda it: sum(one.complete for one in it.messages) == len(sent))
        await client.until(lambda: {name for name, _ in client.receipts} == sent.keys())
        assert sorted(str(one.text) for one in smsc.messages) == sorted(text for text, _ in sent.values())
        assert {(one.source, one.to) for one in smsc.messages} == {(SHORT_CODE, PHONE)}
        assert client.answers == dict.fromkeys(sent, SmppCommandStatus.ESME_ROK)
        assert {stat for _, stat in client.receipts} == {"DELIVRD"}
        segments = sum(len(one.segments) for one in smsc.messages)
    assert operations.count(SUBMIT_SM) == segments > len(sent)
    assert operations.count(DELIVER_SM_RESP) == segments


async def test_what_is_refused_or_not_delivered_is_told(tmp_path: Path) -> None:
    """By the simulator's suffixes: 0011 no such destination, 0014 queue full, 0105 not delivered."""
    operations: list[str] = []
    async with both_ends(tmp_path / "pcap", operations) as (_, client):
        for suffix in ("0011", "0014", "0105"):
            await client.send(suffix, "hello", f"25078812{suffix}")
        await client.until(lambda: len(client.answers) == 3 and client.receipts)
        assert client.answers == {
            "0011": SmppCommandStatus.ESME_RINVDSTADR,
            "0014": SmppCommandStatus.ESME_RMSGQFUL,
            "0105": SmppCommandStatus.ESME_ROK,
        }
        assert client.receipts == [("0105", "UNDELIV")]
    assert operations.count(SUBMIT_SM) == 3


async def test_mos_of_every_kind_arrive(tmp_path: Path) -> None:
    """Not with references of 16 bits, which aiosmpplib does not know."""
    short = [GSM, ARABIC, "1", "1"]
    long = [(how, text) for how in ("udh8", "sar", "payload") for text in (LONG, LONG_ARABIC)]
    texts = [*short, *(text for _, text in long)]
    operations: list[str] = []
    async with both_ends(tmp_path / "pcap", operations) as (smsc, client):
        for text in short:
            smsc.inject(source=PHONE, to=SHORT_CODE, text=text)
        for how, text in long:
            smsc.inject(source=PHONE, to=SHORT_CODE, text=text, long=how)
        await smsc.wait_for(lambda it: all(mo.state == "acknowledged" for mo in it.mos))
        await client.until(lambda: len(client.mos) >= len(texts))
        assert sorted(client.mos) == sorted((PHONE, SHORT_CODE, text) for text in texts)
    assert operations.count(DELIVER_SM_RESP) >= len(texts)
