"""Which MT goes next: in order per contact and queue, replies before bulk, but bulk at least each tenth time.

A contact's next message is not offered before every segment of the one before it has been answered: only so can a
message that is throttled, refused for now or in doubt be tried again before the one behind it. It costs a round trip
per message of the *same* contact; other contacts are not held up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from smsc_relay.jobs import Job

BULK_SHARE: Final = 10  # each that many-th message is a bulk one, where there is one


class Order:
    """The jobs of one link that are not concluded."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], deque[Job]] = {}
        self._replies: deque[Job] = deque()  # first of their lines, checked, not begun
        self._bulk: deque[Job] = deque()
        self._taken = 0

    def __iter__(self) -> Iterator[Job]:
        return (job for line in self._lines.values() for job in line)

    def add(self, job: Job) -> None:
        """A record has come, behind those of its line that came before."""
        line = self._lines.get(job.line)
        if line is None:
            self._lines[job.line] = deque((job,))
            self._offer(job)
        else:
            line.append(job)

    def check_done(self, job: Job) -> None:
        """The job may be begun when its turn comes."""
        job.checked = True
        line = self._lines.get(job.line)
        if line and line[0] is job:
            self._offer(job)

    def take(self) -> Job | None:
        """The job to begin now."""
        self._taken += 1
        bulk_first = self._taken % BULK_SHARE == 0
        for waiting in (self._bulk, self._replies) if bulk_first else (self._replies, self._bulk):
            while waiting:
                job = waiting.popleft()
                if job.held:
                    return job
        self._taken -= 1
        return None

    def put_back(self, job: Job) -> None:
        """It has been taken, and could not be begun: it is the first to be taken again."""
        (self._bulk if job.bulk else self._replies).appendleft(job)

    def remove(self, job: Job) -> None:
        """The job is concluded, or waits elsewhere: the next of its line may go."""
        line = self._lines[job.line]
        first = line[0] is job
        line.remove(job)
        if not line:
            del self._lines[job.line]
        elif first:
            self._offer(line[0])

    def remove_from(self, job: Job) -> list[Job]:
        """Take out a job and all behind it in its line; answers them in order."""
        line = self._lines[job.line]
        index = line.index(job)
        removed = [line.pop() for _ in range(len(line) - index)]
        if not line:
            del self._lines[job.line]
        return removed[::-1]

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def _offer(self, job: Job) -> None:
        if job.checked and not job.begun:
            (self._bulk if job.bulk else self._replies).append(job)
