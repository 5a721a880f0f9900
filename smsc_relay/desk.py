"""Where a relay task takes what operators ask of it (`orders.py`). No message waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from pydantic import ValidationError

from chalicelib import telemetry
from chalicelib.clock import now_ms
from smsc_relay import orders
from smsc_relay.orders import Answer, Ask
from smsc_relay.queue_client import describe

if TYPE_CHECKING:
    from smsc_relay.link import Link


class Desk:
    """For all links of a task. `links`: those that there are now; `every`: s between two looks."""

    def __init__(self, task: str, links: Callable[[], Mapping[str, Link]], threads: Executor, every: float) -> None:
        self._task, self._links, self._threads, self._every = task, links, threads, every
        self._answering: set[asyncio.Task[None]] = set()
        self._trouble = ""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            try:
                await self._look()
                self._trouble = ""
            except Exception as error:
                if not self._trouble:
                    telemetry.logger().warning("orders_not_read", extra={"error": describe(error)})
                self._trouble = describe(error)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, orders.read)
        for name, one in self._links().items():
            one.log_until(found.logs.get(name, 0))
        for body in found.asks:
            ask = _read(body)
            late = ask is None or ask.until < now_ms()
            link = None if ask is None else self._links().get(ask.link)
            if not late and (ask is None or link is None or not self._mine(ask, link)):
                continue  # another task may have a bind of it
            if await loop.run_in_executor(self._threads, orders.take, body) and ask and link and not late:
                task = loop.create_task(self._answer(ask, link))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)

    def _mine(self, ask: Ask, link: Link) -> bool:
        return ask.task == self._task if ask.task else link.asks

    async def _answer(self, ask: Ask, link: Link) -> None:
        async def so_far(said: dict[str, str]) -> None:
            await self._put(Answer(id=ask.id, task=self._task, said=said, more=True))

        try:
            said, problem = await link.inquire(ask, so_far)
        except Exception as error:
            telemetry.logger().exception("relay_fault", extra={"aggregator": ask.link})
            said, problem = {}, f"the relay has failed: {describe(error)}"
        extra = {"aggregator": ask.link, "channel": ask.channel, "problem": problem}
        telemetry.logger().info(f"smsc_{ask.kind}", extra=extra)
        await self._put(Answer(id=ask.id, task=self._task, said=said, problem=problem))

    async def _put(self, answer: Answer) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, orders.answer, answer, now_ms())


def _read(body: str) -> Ask | None:
    try:
        return Ask.model_validate_json(body)
    except ValidationError:
        return None
