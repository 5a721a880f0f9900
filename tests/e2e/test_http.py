"""The HTTP way from end to end, as processes on sockets that are killed, and neighbours that are slow or down."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from chalicelib import waypoints
from tests.e2e.crowd import (
    CHANNEL,
    OTHER,
    Caller,
    again,
    aggregator_file,
    dead_letters,
    enqueue,
    first_of_each,
    gateway,
    phone,
    platform_file,
    post,
    told,
    twice,
    until,
)
from tests.web import Asked, Site, serve

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

COUNT = 1000
KINDS = ("messages", "statuses", "replies")
SIDE_BY_SIDE = 20  # requests that may be under way when the functions are killed: two mappings, ten groups each
POINTS = [point for point in waypoints.WAYPOINTS if not point.startswith("relay.")]


def test_a_thousand_each_way_though_the_functions_are_killed_everywhere(tmp_path: Path) -> None:
    """SIGKILL at every named point in turn: all arrive in order; twice only what a kill found on its way."""
    starts: dict[str, list[int]] = {kind: [] for kind in KINDS}
    with serve() as aggregator, serve() as platform, Caller() as caller:
        files = [
            platform_file(tmp_path, main=platform.url),
            aggregator_file(tmp_path, "fast", aggregator.url, [(CHANNEL, "8080", "main")]),
        ]
        with gateway(tmp_path, files) as running:
            callback = f"{running.api}/c/ex/{CHANNEL}"

            def accept(asked: Asked) -> tuple[int, str]:
                caller.call(f"{callback}/delivered", {"id": asked.form["id"]})
                return 200, "ok"

            aggregator.answer = accept
            running.functions.kill()
            enqueue([message(number) for number in range(1, COUNT + 1)])
            for number in range(1, COUNT + 1):
                date = f"2026-03-01T10:{number // 60 % 60:02d}:{number % 60:02d}Z"
                caller.call(f"{callback}/receive", {"from": phone(number), "text": f"mo {number}", "date": date})

            def start(*options: str) -> None:
                for kind, names in came(aggregator, platform).items():
                    starts[kind].append(len(names))
                running.functions.start(*options)

            for point in POINTS:
                start("--crash-at", point, "--crash-after", "3")
                assert running.functions.wait(60) == -9, f"{point} was not reached:\n{running.functions.tail()}"
            start()
            ids = [str(number) for number in range(1, COUNT + 1)]
            complete = until(
                lambda: (
                    len(set(sent(aggregator))) == COUNT
                    and len({form["id"] for form in told(platform, "delivered")}) == COUNT
                    and len({form["text"] for form in told(platform, "receive")}) == COUNT
                ),
                400,
            )
            assert complete, (
                len(set(sent(aggregator))),
                len(told(platform, "delivered")),
                len(told(platform, "receive")),
            )
            assert caller.wait(10), caller.refused
            assert dead_letters("outbound.fifo", "lane-fast.fifo", "events.fifo", "deliver-main.fifo") == 0
    assert sorted(set(sent(aggregator)), key=int) == ids
    for kind, names in came(aggregator, platform).items():
        lives = again(names, starts[kind])
        print(f"{kind}: came again after each of {len(POINTS)} kills: {lives[:-1]}")
        assert max(lives) <= SIDE_BY_SIDE, kind
        assert lives[-1] == 0, f"{kind} came again though nobody was killed"
    for contact, texts in by_contact(aggregator).items():
        assert first_of_each(texts) == sorted(first_of_each(texts), key=int), contact


def message(number: int, channel: str = CHANNEL, to: str = "") -> dict[str, str | int]:
    return {"id": number, "text": f"mt {number}", "to": to or phone(number), "from": "8080", "channel": channel}


def sent(site: Site) -> list[str]:
    return [asked.form["id"] for asked in list(site.asked)]


def came(aggregator: Site, platform: Site) -> dict[str, list[str]]:
    """What has come so far, by kind: the phones' messages, their statuses, the replies."""
    statuses = [form["id"] for form in told(platform, "delivered")]
    replies = [form["text"] for form in told(platform, "receive")]
    return dict(zip(KINDS, (sent(aggregator), statuses, replies), strict=True))


def by_contact(site: Site) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for asked in site.asked:
        found[asked.form["to"]].append(asked.form["id"])
    return found


def test_one_platforms_outage_is_its_own_and_loses_nothing(tmp_path: Path) -> None:
    with serve() as aggregator, serve(lambda asked: (503, "down")) as main, serve() as other:
        files = [
            platform_file(tmp_path, main=main.url, other=other.url),
            aggregator_file(tmp_path, "fast", aggregator.url, [(CHANNEL, "8080", "main"), (OTHER, "9090", "other")]),
        ]
        with gateway(tmp_path, files) as running:
            for number in range(60):
                for channel in (CHANNEL, OTHER):
                    fields = {"from": phone(number % 3), "text": f"{number}"}
                    assert post(f"{running.api}/c/ex/{channel}/receive", fields) == 200
            assert until(lambda: len(told(other, "receive")) == 60, 60)
            refused = len(main.asked)
            assert refused < 60, "a platform that is down is probed, not hammered"
            main.answer = lambda asked: (200, "ok")
            assert until(lambda: len({form["text"] for form in told(main, "receive")[refused:]}) == 60, 120)
    for site, skipped in ((main, refused), (other, 0)):
        came: dict[str, list[int]] = defaultdict(list)
        for form in told(site, "receive")[skipped:]:
            came[form["from"]].append(int(form["text"]))
        assert sorted(number for numbers in came.values() for number in numbers) == list(range(60))
        assert all(numbers == sorted(numbers) for numbers in came.values())


def test_a_slow_aggregator_holds_up_nobody_else(tmp_path: Path) -> None:
    import threading

    free = threading.Event()

    def slow(asked: Asked) -> tuple[int, str]:
        free.wait(20)
        return 200, "ok"

    with serve() as platform, serve(slow) as tar, serve() as quick:
        files = [
            platform_file(tmp_path, main=platform.url),
            aggregator_file(tmp_path, "slow", tar.url, [(CHANNEL, "8080", "main")]),
            aggregator_file(tmp_path, "quick", quick.url, [(OTHER, "9090", "main")]),
        ]
        with gateway(tmp_path, files, visibility=60):
            enqueue([message(number) for number in range(30)])
            enqueue([message(number, OTHER) for number in range(100, 200)])
            assert until(lambda: len(quick.asked) == 100, 60)
            assert len(tar.asked) <= SIDE_BY_SIDE
            free.set()
            assert until(lambda: len(tar.asked) == 30, 60)
    assert (twice(sent(tar)), twice(sent(quick))) == (0, 0)
