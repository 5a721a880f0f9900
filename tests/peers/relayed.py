"""What tests with SMSCs of others have in common: texts, the relay with an account there, and what comes out of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import smpplib.gsm

from chalicelib import queues, registry
from smsc_relay.relay import Relay
from tests.relay.conftest import QUICK, World
from tests.support import CHANNEL

PHONE = "250788123123"
SHORT_CODE = "8080"
GSM = "Muraho! {€} @ £ [1|2] ñ"
ARABIC = "رسالة قصيرة"
LONG = ("Ijambo rirerire cyane, ryandikwa mu bice byinshi kandi rigasomwa nk'ubutumwa bumwe. " * 4).strip()
LONG_ARABIC = ("رسالة طويلة جدا تصل على عدة أجزاء وتقرأ كرسالة واحدة فقط. " * 3).strip()
UDHI, UCS2 = 0x40, 8


@asynccontextmanager
async def relaying(world: World, port: int, **config: Any) -> AsyncIterator[None]:
    """The relay, with an account at an SMSC on this machine."""
    given = {"host": "127.0.0.1", "port": port, "system_id": "jangada", "reconnect_min": 0.1, **config}
    world.aws.aggregator("fast", "SMPP", config=given, secrets={"password": "secret"})
    world.aws.channel(CHANNEL, type="SMPP")
    registry.reset()
    relay = Relay(timing=QUICK)
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        relay.stop()
        assert await asyncio.wait_for(task, 40)


class Events:
    """What comes out in events.fifo."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: list[dict[str, Any]] = []

    def of(self, kind: str) -> list[dict[str, Any]]:
        """All of a kind until now."""
        self._seen += [body["event"] for body in self._world.aws.bodies(queues.EVENTS)]
        return [event for event in self._seen if event["kind"] == kind]

    def mos(self) -> list[tuple[str, tuple[int, int, int] | None]]:
        """Texts, and of pieces of long ones (reference, total, sequence); sorted."""
        told = [(event["message"]["text"], _place(event)) for event in self.of("incoming")]
        return sorted(told, key=repr)

    def texts(self) -> list[str]:
        """Texts of MOs of which no piece is missing, sorted."""
        found: dict[object, dict[int, str]] = {}
        totals: dict[object, int] = {}
        for number, (text, place) in enumerate(self.mos()):
            reference, total, sequence = place or (f"alone {number}", 1, 1)
            found.setdefault(reference, {})[sequence] = text
            totals[reference] = total
        whole = [found[reference] for reference, total in totals.items() if len(found[reference]) == total]
        return sorted("".join(pieces[sequence] for sequence in sorted(pieces)) for pieces in whole)

    def statuses(self) -> set[tuple[str, str]]:
        """(id of the SMSC, status)."""
        return {(event["update"]["external_id"], event["update"]["status"]) for event in self.of("status")}


def _place(event: dict[str, Any]) -> tuple[int, int, int] | None:
    piece = event.get("piece")
    return None if piece is None else (piece["reference"], piece["total"], piece["sequence"])


def written(text: str) -> tuple[int, bytes]:
    """data_coding and octets of a text, by smpplib's table."""
    try:
        return 0, smpplib.gsm.gsm_encode(text)
    except UnicodeError:
        return UCS2, text.encode("utf-16-be")
