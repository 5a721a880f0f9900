"""The two lanes in front of a link: how many records may be asked for, and the long polls that ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from chalicelib import queues, telemetry
from chalicelib.queues import MAX_BATCH, Received
from smsc_relay.jobs import Job
from smsc_relay.queue_client import Queues, describe
from smsc_relay.returns import Hold

AHEAD: Final = 20  # records beyond the free window: with ten, a window of ten that opens at once is filled to eight
SHARE: Final = 10  # one place in that many is kept for bulk, whatever the replies
FEW: Final = 5  # a poll for fewer costs more than waiting for the next answers
SIDE_BY_SIDE: Final = 4  # polls of one lane, while each finds all that it asks for
SETBACK: Final = 5.0  # s until SQS is asked again after it failed


class Places:
    """How many messages a link may hold that are not answered: free window + 20, by kind.

    While replies come, bulk has its tenth of the places and no more; while none do, it leaves what listening for them
    takes.
    """

    def __init__(self, capacity: Callable[[], int]) -> None:
        self._capacity = capacity
        self._taken = [0, 0]  # replies, bulk
        self._asked = [0, 0]  # by polls under way
        self._quiet = True  # the last poll for replies found none
        self._polls = [0, 0]  # under way
        self._plenty = [False, False]  # the last poll found all that it asked for
        self.changed = asyncio.Event()

    @property
    def taken(self) -> int:
        """Segments that are not answered, and messages not yet cut."""
        return sum(self._taken)

    def weigh(self, job: Job, weight: int) -> None:
        """The job now takes `weight` places."""
        self._taken[job.bulk] += weight - job.weight
        job.weight = weight

    def enter(self, job: Job) -> None:
        """The job has come."""
        self._taken[job.bulk] += job.weight

    def may_ask(self, *, bulk: bool) -> int:
        """How many records may be asked for now, 0 for none."""
        total = self._capacity()
        if total <= 0 or (self._polls[bulk] and not self._plenty[bulk]):
            return 0
        used = [taken + asked for taken, asked in zip(self._taken, self._asked, strict=True)]
        tenth = max(1, total // SHARE)
        listening = max(1, min(MAX_BATCH, total // 4))  # asked for replies while there are none
        if bulk:
            once, most = MAX_BATCH, total - listening if self._quiet else tenth
        else:
            once, most = listening if self._quiet else MAX_BATCH, total - tenth
        wanted = min(once, most - used[bulk], total - sum(used))
        return wanted if wanted >= min(FEW, once, most) else 0

    def look(self) -> None:
        """Wake the polls if there is something to ask for; to be called when that may have changed."""
        if not self.changed.is_set() and (self.may_ask(bulk=False) or self.may_ask(bulk=True)):
            self.changed.set()

    def asking(self, count: int, *, bulk: bool) -> bool:
        """A poll for `count` begins; True where it is the only one of its lane, and may wait for records to come: the
        others must not keep places from the other lane."""
        self._asked[bulk] += count
        self._polls[bulk] += 1
        return self._polls[bulk] == 1

    def answered(self, asked: int, found: int, *, bulk: bool) -> None:
        """It is over."""
        self._asked[bulk] -= asked
        self._polls[bulk] -= 1
        self._plenty[bulk] = found >= asked
        if not bulk:
            self._quiet = not found
        self.changed.set()


class Lanes:
    """Polls both lanes while there is room; `take` is given what came, with the time until which it is ours."""

    def __init__(
        self,
        sqs: Queues,
        lanes: tuple[str, str],
        places: Places,
        hold: Hold,
        poll: int,
        take: Callable[[Sequence[Received], float, bool], None],
    ) -> None:
        self._sqs, self._lanes, self._places, self._hold, self._poll, self._take = sqs, lanes, places, hold, poll, take
        self._stopping = False

    async def run(self) -> None:
        """Until `stop`; a poll under way is waited for, since its records would be lost to everybody for a while."""
        async with asyncio.TaskGroup() as tasks:
            for bulk, lane in enumerate(self._lanes):
                for _ in range(SIDE_BY_SIDE):
                    tasks.create_task(self._run(lane, bulk=bool(bulk)))

    def stop(self) -> None:
        """No further poll."""
        self._stopping = True
        self._places.changed.set()

    async def _run(self, lane: str, *, bulk: bool) -> None:
        attempt = queues.new_id()
        loop = asyncio.get_running_loop()
        while not self._stopping:
            count = self._places.may_ask(bulk=bulk)
            if not count:
                self._places.changed.clear()
                await self._places.changed.wait()
                continue
            wait = self._poll if self._places.asking(count, bulk=bulk) else 0
            began, found = loop.time(), list[Received]()
            try:
                found = await self._sqs.receive(
                    lane, count, wait=wait, visibility=self._hold.visibility, attempt=attempt
                )
                attempt = queues.new_id()
            except Exception as error:
                telemetry.logger().warning("aws_trouble", extra={"calls": f"receive {lane}", "error": describe(error)})
                if loop.time() - began > 240:  # the attempt's name counts for five minutes
                    attempt = queues.new_id()
                await asyncio.sleep(SETBACK)
            finally:
                self._places.answered(count, len(found), bulk=bulk)
            if found:
                self._hand_over(found, began + self._hold.visibility, bulk=bulk)

    def _hand_over(self, found: Sequence[Received], until: float, *, bulk: bool) -> None:
        """A fault of ours costs these records their visibility, and not the lane its poll."""
        try:
            self._take(found, until, bulk)
        except Exception:
            telemetry.logger().exception("relay_fault")
