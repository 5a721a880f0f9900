"""What several threads have for one queue at the same moment goes in few calls, and each is told of its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import queues
from chalicelib import together as together_module
from chalicelib.queues import Entry
from chalicelib.together import Together
from tests.support import Aws


def entry(name: str) -> Entry:
    return Entry(body=f'"{name}"', group=queues.digest(name), dedup=queues.digest("d", name))


def test_who_comes_while_a_call_is_under_way_goes_with_the_next(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    together = Together(queues.EVENTS)
    real, calls, first, go = queues.send_many, [], threading.Event(), threading.Event()

    def held(queue: str, entries: list[Entry]) -> list[Exception | None]:
        calls.append(len(entries))
        if len(calls) == 1:
            first.set()
            assert go.wait(30)
        return real(queue, entries)

    monkeypatch.setattr(queues, "send_many", held)
    with ThreadPoolExecutor(10) as threads:
        results = [threads.submit(together.send, [entry("0")])]
        assert first.wait(30)
        results += [threads.submit(together.send, [entry(f"{n}"), entry(f"{n}'")]) for n in range(1, 10)]
        while len(together._waiting) < 9:
            threading.Event().wait(0.001)
        go.set()
        assert [one.result(30) for one in results] == [[None], *[[None, None]] * 9]
    assert calls == [1, 18]
    assert sorted(aws.bodies(queues.EVENTS)) == sorted(
        ["0", *(f"{n}{mark}" for n in range(1, 10) for mark in ("", "'"))]
    )


@pytest.mark.parametrize("fails", [pytest.param(True, id="the call raises"), pytest.param(False, id="one is refused")])
def test_each_is_told_what_became_of_its_own(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    together = Together(queues.EVENTS)
    lost, first, go = ConnectionError("SQS is away"), threading.Event(), threading.Event()

    def answer(queue: str, entries: list[Entry]) -> list[Exception | None]:
        if not first.is_set():
            first.set()
            assert go.wait(30)
            return [None]
        if fails:
            raise lost
        return [lost if "1" in one.body else None for one in entries]

    monkeypatch.setattr(queues, "send_many", answer)
    with ThreadPoolExecutor(3) as threads:
        leader = threads.submit(together.send, [entry("0")])
        assert first.wait(30)
        followers = [threads.submit(together.send, [entry(name)]) for name in ("1", "2")]
        while len(together._waiting) < 2:
            threading.Event().wait(0.001)
        go.set()
        assert leader.result(30) == [None]
        assert [one.result(30) for one in followers] == [[lost], [lost if fails else None]]


def counted(monkeypatch: pytest.MonkeyPatch, linger: float) -> list[int]:
    calls: list[int] = []

    def answer(queue: str, entries: list[Entry]) -> list[Exception | None]:
        calls.append(len(entries))
        return [None] * len(entries)

    monkeypatch.setattr(queues, "send_many", answer)
    monkeypatch.setattr(together_module, "LINGER", linger)
    return calls


def test_who_has_company_at_work_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, linger=30)
    together = Together(queues.EVENTS)
    together.expect(3)
    with ThreadPoolExecutor(3) as threads:
        results = list(threads.map(together.send, [[entry("0")], [entry("1"), entry("1'")], [entry("2")]]))
    assert results == [[None], [None, None], [None]]
    assert calls == [4]


def test_nobody_waits_for_who_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, linger=30)
    together = Together(queues.EVENTS)
    together.expect(2)
    with ThreadPoolExecutor(1) as threads:
        sent = threads.submit(together.send, [entry("0")])
        while not together._waiting:
            threading.Event().wait(0.001)
        together.leave()
        assert sent.result(20) == [None]
    assert together.send([entry("1")]) == [None]  # the last one has nobody to wait for
    assert calls == [1, 1]


def test_nobody_waits_long_for_who_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, linger=0.001)
    together = Together(queues.EVENTS)
    together.expect(2)
    assert together.send([entry("0")]) == [None]
    assert calls == [1]
