"""What a running relay writes down of its links, and what an operator reads of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib import aws, freezes, ledger_table, rendezvous
from chalicelib.clock import now_ms
from chalicelib.messages import Status, StatusUpdate
from chalicelib.records import ReceiptEvent
from chalicelib.settings import settings
from cli.main import main
from smsc_relay import gauges, publishing, status
from smsc_relay.link import Timing
from smsc_relay.meter import Meter
from smsc_relay.queue_client import Queues
from smsc_relay.relay import Relay
from smsc_relay.status import BindStatus, LinkStatus
from tests.relay.conftest import World, eventually, relaying
from tests.relay.smsc import Smsc

QUICK = Timing(poll=1, spare=1.0, drain=5.0, record=5.0, refresh=0.2, publish=0.1)
TASK = "0d5c9a3e-7c1b-4a53-9c39-7d1f1f0d8f11"


def said(**fields: Any) -> LinkStatus:
    up = BindStatus(bind="1-transceiver", role="transceiver", state="up", since=now_ms(), in_flight=3, window=20)
    return LinkStatus(**{
        "link": "fast", "task": TASK, "protocol": "SMPP", "at": now_ms(), "state": "up", "binds": (up,), **fields
    })  # fmt: skip


async def test_a_task_says_how_its_link_is_until_it_ends(world: World) -> None:
    refused = iter(["throttled", "temporary"])
    async with Smsc() as smsc:
        smsc.answer = lambda told: {"error": error} if (error := next(refused, "")) else {"id": f"x{told['id']}"}
        world.account(smsc, window=7, max_tps=50, binds=2)
        world.put_many(9)
        async with relaying(QUICK):
            await eventually(lambda: (one := _one()) and one.up == 2 and one.throttled == 1 and one.p50 is not None)
            await eventually(lambda: len(smsc.submits) >= 10)
            one = _one()
            assert one is not None
            assert (one.state, one.window, one.wanted, one.reconnects) == ("up", 14, 50, 0)
            assert "as told 7" in one.error
            assert one.p99 is not None
            assert one.p50 is not None
            assert one.p50 <= one.p99
            smsc.drop()
            await eventually(lambda: (one := _one()) and one.reconnects == 2 and one.up == 2)
            await smsc.stop()
            await eventually(lambda: (one := _one()) and one.state == "down" and "no connection" in one.error)
            await smsc.start()
            await world.lane_empty()
    one = _one()
    assert one is not None
    assert (one.state, one.binds) == ("stopped", ())


def _one_at() -> int:
    one = _one()
    return one.at if one else 0


def _one() -> LinkStatus | None:
    return next(iter(status.read("fast")), None)


async def test_little_is_written_while_nothing_changes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[LinkStatus] = []
    write = status.write
    monkeypatch.setattr(status, "write", lambda one: (written.append(one), write(one)))
    rounds: list[None] = []
    publish = publishing.Publisher.publish

    async def counted(self: publishing.Publisher) -> None:
        await publish(self)
        rounds.append(None)

    monkeypatch.setattr(publishing.Publisher, "publish", counted)
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying(QUICK):
            await eventually(lambda: (one := _one()) and one.up == 1)
            rounds.clear()
            before = len(written)
            await eventually(lambda: len(rounds) > 10)
            assert len(written) == before
            monkeypatch.setattr(status, "LATEST", 0.0)
            await eventually(lambda: len(written) > before)


FACTS = {"binds_up", "frozen", "queue_age", "queue_depth", "queue_depth_bulk", "rate", "round_trip_p50",
         "round_trip_p99", "window_used"}  # fmt: skip


async def test_metrics_have_the_link_for_their_only_dimension(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(publishing, "METRICS", 0.0)
    monkeypatch.setenv("JANGADA_METRICS", "Jangada")
    printed: list[dict[str, Any]] = []
    refused = iter(["temporary"])

    def measured() -> bool:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
        printed.extend(line for line in lines if "binds_up" in line)
        return {"round_trip_p99", "queue_depth"} <= printed[-1].keys() if printed else False

    async with Smsc() as smsc:
        smsc.answer = lambda told: {"error": error} if (error := next(refused, "")) else {"id": f"x{told['id']}"}
        world.account(smsc, window=4)
        world.put_many(3)
        async with relaying(QUICK):
            await eventually(measured)
    found = printed[-1]
    assert found["name"] == "fast"
    (directive,) = found["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["name"]]
    assert {metric["Name"] for metric in directive["Metrics"]} == FACTS
    assert (found["binds_up"], found["frozen"], found["queue_depth_bulk"]) == ([1.0], [0.0], [0.0])
    assert (found["state"], found["error"]) == ("up", "as told 7")
    assert abs(now_ms() - found["error_at"]) < 600_000
    assert sum(one["rate"][0] > 0 for one in printed) > 0


async def test_what_waits_is_seen_while_no_bind_is_up(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gauges, "EVERY", 0.0)
    monkeypatch.setattr(publishing, "METRICS", 0.0)
    monkeypatch.setenv("JANGADA_METRICS", "Jangada")
    printed = ""

    def measured() -> bool:
        nonlocal printed
        printed += capsys.readouterr().out
        return '"queue_depth":[5.0]' in printed and '"queue_depth_bulk":[1.0]' in printed

    async with Smsc() as smsc:
        await smsc.stop()
        world.account(smsc)
        world.put_many(5)
        world.put(6, bulk=True)
        async with relaying(QUICK) as relay:
            await eventually(lambda: _health(relay).get("waiting") == [5, 1])
            await eventually(measured)
            await smsc.start()
            await eventually(lambda: _health(relay)["waiting"] == [0, 0])


async def test_a_depth_that_is_not_known_is_not_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "EVERY", 0.0)
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying(QUICK) as relay:
            await eventually(lambda: _health(relay).get("waiting") == [0, 0])
            aws.sqs().delete_queue(QueueUrl=settings().queue_url("lane-fast-bulk.fifo"))
            await eventually(lambda: _health(relay)["waiting"] == [None, None])


async def test_lanes_are_looked_into_rarely(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    depth = Queues.depth

    async def counted(self: Queues, queue: str) -> int:
        looks.append(queue)
        return await depth(self, queue)

    monkeypatch.setattr(Queues, "depth", counted)
    monkeypatch.setattr(gauges, "EVERY", 3600.0)
    monkeypatch.setattr(status, "LATEST", 1.0)
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying(QUICK) as relay:
            await eventually(lambda: _health(relay).get("waiting") == [0, 0])
            at = _one_at()
            await eventually(lambda: _one_at() > at)  # many turns of the watch
    assert looks == ["lane-fast.fifo", "lane-fast-bulk.fifo"]


async def test_the_health_page_has_the_same_facts(world: World) -> None:
    refused = iter(["throttled", "temporary"])
    async with Smsc() as smsc:
        smsc.answer = lambda told: {"error": error} if (error := next(refused, "")) else {"id": f"x{told['id']}"}
        world.account(smsc, window=7, max_tps=50)
        world.put_many(4)
        async with relaying(QUICK) as relay:
            await eventually(lambda: _health(relay).get("waiting") == [0, 0])
            await world.lane_empty()
            found = json.loads(json.dumps(_health(relay)))
            assert (found["state"], found["in_flight"], found["window"], found["wanted"]) == ("up", 0, 7, 50)
            assert (found["throttled"], found["error"], found["reconnects"]) == (1, "as told 7", 0)
            assert 0 < found["p50"] <= found["p99"]
            assert 0 < found["allowed"] <= 50
            assert found["actual"] >= 0
            assert found["binds"][0]["state"] == "up"


def _health(relay: Relay) -> dict[str, Any]:
    found: dict[str, Any] = relay.report()["links"].get("fast", {})
    return found


async def test_aws_that_does_not_answer_costs_the_link_nothing(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying(QUICK):
            await smsc.until(lambda: smsc.logins)
            aws.dynamodb().delete_table(TableName=ledger_table.name())
            smsc.deliver({"from": "+250788123123", "text": "ok"})
            await smsc.until(lambda: smsc.answers)
            assert smsc.answers == [("got", 1)]


def test_a_meter_counts_what_is_recent() -> None:
    meter = Meter(0.0)
    assert (meter.quantile(0.5, 0.0), meter.rate(0.0)) == (None, 0)
    for n in range(100):
        meter.submitted(1)
        meter.answered(n / 1000, 1.0)
        meter.rate(n / 10)
    assert meter.quantile(0.5, 10.0) == 50
    assert meter.quantile(0.99, 10.0) == 99
    assert meter.rate(10.0) == pytest.approx(10, rel=0.15)
    assert meter.rate(60.0) <= 2
    assert meter.quantile(0.5, 100.0) is None
    assert [meter.take_rate(10.0), meter.take_rate(20.0)] == [10, 0]
    meter.received(40)
    meter.received(20)
    assert [meter.take_waited(), meter.take_waited()] == [40, 0]


# --- what the command says ------------------------------------------------------------------------------------------


@pytest.fixture
def accounts(world: World) -> World:
    for name in ("fast", "slow"):
        world.aws.aggregator(name, "SMPP", config={"host": "smsc.example.org", "system_id": "ilha"})
    return world


MOMENTS = {"at", "paused_until", "pdu_log_until"}  # in ms from now: the suite may have begun long ago


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        pytest.param({}, ["fast", "0d5c9a3e", "up", "1/1", "3/20", "0/s"], id="up"),
        pytest.param({"allowed": 12.5, "actual": 11.8}, ["11.8/s of 12.5"], id="slowed"),
        pytest.param({"p50": 48.0, "p99": 210.5}, ["48 ms", "210.5 ms"], id="round trip"),
        pytest.param({"error": "1-transceiver: connection lost", "error_at": 1}, ["ago: 1-transceiver: connection"],
                     id="last error"),
        pytest.param({"state": "paused", "paused_until": 600_000, "error": "ESME_RINVSRCADR"},
                     ["paused until", "ESME_RINVSRCADR"], id="paused"),
        pytest.param({"pdu_log_until": 600_000}, ["PDUs are logged until"], id="log"),
        pytest.param({"at": -200_000}, ["silent", "no relay has written for", "killed, or cannot reach"],
                     id="silent"),
        pytest.param({"at": -7_200_000}, ["no relay has written for 2 h", "did not say that it ends"],
                     id="killed long ago"),
        pytest.param({"at": -120_000, "state": "stopped"}, ["no relay has written for", "has ended"],
                     id="ended"),
    ],
)  # fmt: skip
def test_the_screen(
    accounts: World, written: dict[str, Any], shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    now = now_ms()
    status.write(said(**{name: now + value if name in MOMENTS else value for name, value in written.items()}))
    assert main(["smsc", "status"]) == 0
    screen = capsys.readouterr().out
    for words in shown:
        assert words in screen
    assert "slow: no relay has written anything of it within a day" in screen
    assert main(["smsc", "status", "fast"]) == 0
    assert "slow" not in capsys.readouterr().out


OTHER = "7f1b0a52-2f63-4c1e-8a6c-5a0d6f1e2b3c"


def bind(number: int, state: str) -> BindStatus:
    return BindStatus(bind=f"{number}-transceiver", role="transceiver", state=state, since=1)


@pytest.mark.parametrize(
    ("killed", "other", "shown"),
    [
        pytest.param(["up"], ["up"], False, id="another has its bind"),
        pytest.param(["up"], ["waiting"], False, id="another tries to open its bind"),
        pytest.param(["up"], ["standby"], True, id="nobody has its bind yet"),
        pytest.param(["up", "up"], ["up", "standby"], True, id="another has one of two"),
        pytest.param(["up", "up"], ["up"], False, id="there are fewer binds now"),
        pytest.param(["standby"], ["up"], False, id="it stood by"),
    ],
)
def test_a_task_that_was_killed_is_listed_until_another_has_its_binds(
    accounts: World, killed: list[str], other: list[str], shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    binds = [tuple(bind(number, state) for number, state in enumerate(states, 1)) for states in (killed, other)]
    status.write(said(at=now_ms() - 120_000, binds=binds[0]))
    status.write(said(task=OTHER, binds=binds[1]))
    assert main(["smsc", "status", "fast"]) == 0
    screen = capsys.readouterr().out
    assert OTHER[:8] in screen
    assert (TASK[:8] in screen, "killed, or cannot reach" in screen) == (shown, shown)
    assert main(["smsc", "status", "fast", "--json"]) == 0
    (fast,) = json.loads(capsys.readouterr().out)
    assert [one["task"] for one in fast["tasks"]] == [OTHER, *([TASK] if shown else [])]


def test_a_program_gets_the_same(accounts: World, capsys: pytest.CaptureFixture[str]) -> None:
    status.write(said())
    assert main(["smsc", "status", "--json"]) == 0
    fast, slow = json.loads(capsys.readouterr().out)
    assert (fast["link"], fast["waiting"], fast["tasks"][0]["state"]) == ("fast", "0 + 0", "up")
    assert (slow["tasks"], slow["last_word"]) == ([], None)


def test_a_link_that_nobody_knows(accounts: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["smsc", "status", "fats"]) == 1
    assert "no SMSC account fats; did you mean fast?" in capsys.readouterr().err


def test_receipts_without_a_message_are_listed(accounts: World, capsys: pytest.CaptureFixture[str]) -> None:
    update = StatusUpdate(channel="", status=Status.DELIVERED, external_id="0af3", destination="+250788123123")
    rendezvous.meet_receipt(ReceiptEvent(event_id="e", update=update, aggregator="fast"), now_ms())
    assert main(["smsc", "unmatched", "fast"]) == 0
    assert "0af3" in capsys.readouterr().out
    assert main(["smsc", "unmatched", "slow"]) == 0
    assert "every receipt has found its message" in capsys.readouterr().out


async def test_a_link_that_an_operator_has_stopped_says_so(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        freezes.freeze("aggregator", "fast", "a wrong broadcast", now_ms())
        async with relaying(QUICK):
            await eventually(lambda: (one := _one()) and one.state == "frozen" and one.up == 1)
