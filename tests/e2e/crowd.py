"""Both ends of the gateway for end-to-end tests: an aggregator and platforms on sockets, and traffic from both."""

from __future__ import annotations

import bisect
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from chalicelib import aws, queues
from chalicelib.settings import settings
from local.gateway import Gateway
from tests.web import Site

CHANNEL = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"
OTHER = "7f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"


def aggregator_file(work: Path, name: str, url: str, channels: Sequence[tuple[str, str, str]]) -> Path:
    """An External aggregator with a lane of its own; channels are (uuid, address, platform)."""
    lines = [f"name: {name}", "type: EX", "lane: own", "config:", f"  send_url: {url}/send",
             "  body: id={{id}}&text={{text}}&to={{to}}", "channels:"]  # fmt: skip
    lines += [
        f'  - {{uuid: {uuid}, address: "{address}", country: RW, workspace: w, platform: {platform}}}'
        for uuid, address, platform in channels
    ]
    path = work / f"{name}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def platform_file(work: Path, **platforms: str) -> Path:
    """The platforms and their base URLs."""
    path = work / "platforms.yaml"
    path.write_text("platforms:\n" + "".join(f'  {name}: {{base_url: "{url}"}}\n' for name, url in platforms.items()))
    return path


@contextmanager
def gateway(work: Path, files: Sequence[Path], *, visibility: int = 6) -> Iterator[Gateway]:
    """The gateway as processes; records of a killed one are given again after `visibility` seconds."""
    with Gateway(work, files, {}, {}, visibility=visibility) as started:
        yield started


def phone(number: int) -> str:
    """One of a hundred phones."""
    return f"+2507881231{number % 100:02d}"


def enqueue(messages: Sequence[dict[str, Any]], queue: str = queues.OUTBOUND) -> None:
    """As a platform does: ten at a time, a group a contact."""
    entries = [queues.Entry(json.dumps(m), queues.digest(m["to"]), queues.digest(str(m["id"]))) for m in messages]
    assert queues.send_many(queue, entries) == [None] * len(entries)


def post(url: str, fields: dict[str, str], over: threading.Event | None = None) -> int:
    """POST a form until somebody answers with less than 500, as aggregators do, or the test is over."""
    body = urllib.parse.urlencode(fields).encode()
    while over is None or not over.is_set():
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return error.code
        except OSError:
            pass
        time.sleep(0.1)  # nobody is there to be awaited: the process has been killed
    return 0


class Caller:
    """Calls webhooks side by side, until the test is over."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(8)
        self._left = 0
        self.refused: list[tuple[int, dict[str, str]]] = []
        self._changed = threading.Condition()

    def call(self, url: str, fields: dict[str, str]) -> None:
        """POST without waiting for the answer, which must be 200."""
        with self._changed:
            self._left += 1
        self._pool.submit(self._run, url, fields)

    def _run(self, url: str, fields: dict[str, str]) -> None:
        status = post(url, fields, self._over)
        with self._changed:
            if status != 200:
                self.refused.append((status, fields))
            self._left -= status == 200
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self._over.set()
        self._pool.shutdown(cancel_futures=True)

    def wait(self, seconds: float) -> bool:
        """Until all have been answered."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._left, seconds)


def until(what: Callable[[], bool], seconds: float) -> bool:
    """Wait for a state of the world that nobody announces."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def told(site: Site, kind: str) -> list[dict[str, str]]:
    """What a platform has been told of one kind, in order."""
    return [asked.form for asked in list(site.asked) if asked.path.endswith(f"/{kind}")]


def twice(names: Sequence[str]) -> int:
    """How many came more than once."""
    return sum(count - 1 for count in Counter(names).values())


def again(names: Sequence[str], starts: Sequence[int]) -> list[int]:
    """How many came again of those that came in each life; a life begins at a length that `names` had then."""
    lives, latest = [0] * len(starts), dict[str, int]()
    for position, name in enumerate(names):
        if name in latest:
            lives[latest[name]] += 1
        latest[name] = bisect.bisect_right(starts, position) - 1
    return lives


def first_of_each(names: Sequence[str]) -> list[str]:
    """Without repetitions."""
    return list(dict.fromkeys(names))


def dead_letters(*names: str) -> int:
    """Records in the DLQs of these queues."""
    return sum(_count(queues.dlq_of(name), "ApproximateNumberOfMessages") for name in names)


def under_way(*names: str) -> int:
    """Records in these queues, those included that somebody has taken."""
    kinds = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    return sum(_count(name, kind) for name in names for kind in kinds)


def _count(name: str, kind: Any) -> int:
    url = settings().queue_url(name)
    return int(aws.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=[kind])["Attributes"][kind])
