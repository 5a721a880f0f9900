"""The pace of an account: the algorithm as arithmetic, then the one item that several processes share."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import pacing
from chalicelib.pacing import Pace, Turn, Want
from chalicelib.settings import settings

NOW = 1_800_000_000_000


def starts(turns: list[Turn]) -> list[int]:
    return [turn.at - NOW for turn in turns]


# --- arithmetic ---------------------------------------------------------------------------------------------------


def test_slots_are_as_far_apart_as_the_rate_says() -> None:
    pace, turns = pacing.booked(Pace(), [Want()] * 4, 10, NOW)
    assert starts(turns) == [0, 100, 200, 300]
    assert all(turn.booked for turn in turns)
    assert starts(pacing.booked(pace, [Want()], 10, NOW + 150)[1]) == [400]


def test_idle_time_is_not_saved_up() -> None:
    pace, _ = pacing.booked(Pace(), [Want()], 10, NOW)
    assert starts(pacing.booked(pace, [Want()] * 2, 10, NOW + 60_000)[1]) == [60_000, 60_100]


def test_a_message_of_several_parts_takes_that_many_slots() -> None:
    _, turns = pacing.booked(Pace(), [Want(3), Want()], 2, NOW)
    assert turns[0] == Turn(NOW, 500.0)
    assert starts(turns) == [0, 1500]


def test_beyond_the_horizon_nothing_is_booked_but_a_turn_is_promised() -> None:
    pace, turns = pacing.booked(Pace(), [Want()] * 14, 1, NOW)
    assert [turn.booked for turn in turns] == [True] * 11 + [False] * 3
    assert starts(turns)[10:] == [10_000, 11_000, 12_000, 13_000]
    assert pace.gate - NOW == 11_000  # the promises have not moved it


def test_newcomers_do_not_overtake_those_who_wait() -> None:
    pace, _ = pacing.booked(Pace(), [Want()] * 14, 1, NOW)
    newcomer = pacing.booked(pace, [Want()], 1, NOW + 5_000)[1][0]
    assert newcomer == Turn(NOW + 14_000, 1000.0, booked=False)
    back = pacing.booked(pace, [Want(waited=True)], 1, NOW + 11_000)[1][0]
    assert back == Turn(NOW + 11_000, 1000.0)


def test_a_full_lane_drains_at_the_rate_with_every_record_going_once_or_twice() -> None:
    """Two hundred messages at 5/s, in batches of ten, each coming back when it was told to."""
    pace = Pace()
    due: list[tuple[int, bool]] = [(NOW, False)] * 200
    sent: list[int] = []
    rounds = 0
    while due:
        due.sort()
        batch, due = due[:10], due[10:]
        moment = max(batch[-1][0], NOW)
        pace, turns = pacing.booked(pace, [Want(waited=waited) for _, waited in batch], 5, moment)
        rounds += len(batch)
        for turn in turns:
            if turn.booked:
                sent.append(turn.at)
            else:
                due.append((turn.at, True))
    sent.sort()
    assert min(later - earlier for earlier, later in itertools.pairwise(sent)) >= 200
    assert sent[-1] - sent[0] <= 199 * 200 + 2_000
    assert rounds <= 400


@pytest.mark.parametrize(
    ("rate", "retry_after", "shut", "slowed_to"),
    [
        pytest.param(10, None, 1_000, 5.0, id="says nothing"),
        pytest.param(10, 30.0, 30_000, 5.0, id="says how long"),
        pytest.param(0, None, 1_000, 10.0, id="no rate configured: an assumed one is halved"),
        pytest.param(0.15, 0.0, 1_000, 0.1, id="never slower than a probe"),
        pytest.param(10, 1e9, 3_600_000, 5.0, id="nobody shuts us out for years"),
    ],
)
def test_a_throttled_request_shuts_the_gate_and_halves_the_rate(
    rate: float, retry_after: float | None, shut: int, slowed_to: float
) -> None:
    pace = pacing.slowed(Pace(), rate, retry_after, NOW)
    assert pace.gate - NOW == shut
    assert pacing.current_rate(pace, rate, NOW) == pytest.approx(slowed_to)
    assert starts(pacing.booked(pace, [Want()], rate, NOW)[1]) == [shut]


def test_a_burst_of_refusals_counts_once() -> None:
    pace = pacing.slowed(Pace(), 10, None, NOW)
    again = pacing.slowed(pace, 10, 5.0, NOW + 200)
    assert pacing.current_rate(again, 10, NOW + 5_200) == pytest.approx(5)
    assert again.gate - NOW == 5_200
    assert pacing.current_rate(pacing.slowed(pace, 10, None, NOW + 1_500), 10, NOW + 1_500) < 2.6


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(0, 5.0, id="at once"),
        pytest.param(6_000, 6.0, id="a tenth of the way a tenth of the time"),
        pytest.param(24_000, 9.0, id="equal steps"),
        pytest.param(30_000, 10.0, id="there"),
        pytest.param(900_000, 10.0, id="never above"),
    ],
)
def test_the_rate_recovers_by_equal_steps(after: int, expected: float) -> None:
    pace = replace(pacing.slowed(Pace(), 10, None, NOW), slowed_at=NOW)
    assert pacing.current_rate(pace, 10, NOW + after) == pytest.approx(expected)


def test_without_a_configured_rate_the_limit_goes_away() -> None:
    pace = pacing.slowed(Pace(), 0, None, NOW)
    assert pacing.current_rate(pace, 0, NOW + 10_000) > 0
    assert pacing.current_rate(pace, 0, NOW + 60_000) == 0
    assert starts(pacing.booked(pace, [Want()] * 3, 0, NOW + 60_000)[1]) == [60_000] * 3


# --- one item, many processes -------------------------------------------------------------------------------------

BOOK = """
import json, sys
from chalicelib import pacing
key, rounds, now = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
slots = []
for _ in range(rounds):
    slots += [turn.at for turn in pacing.book(key, [pacing.Want(waited=True)] * 10, 1000.0, now)]
print(json.dumps(slots))
"""


@pytest.mark.usefixtures("aws")
def test_several_processes_never_share_a_slot() -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", BOOK, "agg", "20", str(NOW)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    slots: list[int] = []
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    for worker in workers:
        out, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0
        slots += json.loads(out)
    assert sorted(slots) == [NOW + at for at in range(600)]


@pytest.mark.usefixtures("aws")
def test_an_account_without_a_rate_costs_a_read_in_five_seconds_and_no_write(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            calls.append(name)
            return real(**request)

        return call

    client = clients.dynamodb()
    for name in ("get_item", "put_item"):
        real = getattr(client, name)
        monkeypatch.setattr(client, name, counted(real, name))
    for moment in (NOW, NOW + 1, NOW + 4_999):
        assert pacing.book("free", [Want(), Want()], 0, moment) == [Turn(moment), Turn(moment)]
    assert calls == ["get_item"]
    pacing.book("free", [Want()], 0, NOW + 5_000)
    assert calls == ["get_item", "get_item"]


@pytest.mark.usefixtures("aws")
def test_a_slow_down_is_known_to_every_process() -> None:
    assert pacing.slow_down("agg2", 0, 30.0, NOW) == NOW + 30_000
    assert pacing.shut_until("agg2") == NOW + 30_000
    pacing.reset()  # as another process, which has seen nothing
    assert starts(pacing.book("agg2", [Want(), Want()], 0, NOW + 25_000)) == [30_000, 30_100]
    assert pacing.shut_until("agg2") == NOW + 30_000


@pytest.mark.usefixtures("aws")
def test_an_item_that_its_ttl_has_removed_is_begun_anew() -> None:
    pacing.book("gone", [Want()], 10, NOW)
    clients.dynamodb().delete_item(TableName=settings().table("ledger"), Key={"pk": {"S": "pace#gone"}})
    assert starts(pacing.book("gone", [Want()], 10, NOW)) == [0]
    assert starts(pacing.book("gone", [Want()], 10, NOW)) == [100]
