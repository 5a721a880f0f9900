"""λ send and what an operator has frozen: nothing is sent, nothing fails, and what is cancelled fails once."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from chalicelib import clock, freezes, ledger, queues, registry
from chalicelib.freezes import Freeze, Kind
from chalicelib.messages import Status
from tests.lane import LANE, Lane, asked
from tests.lane import lane as lane
from tests.support import CHANNEL, Aws
from tests.test_receipt_metrics import counted
from tests.web import Asked, Site, serve

OTHER = CHANNEL.replace("6f1d", "7f1d")
A, B, C = "+250788000001", "+250788000002", "+250788000003"
RUNAWAY = "cancelled with aggregator fast: runaway broadcast"


def accepted(asked: Asked) -> tuple[int, str]:
    return 200, json.dumps({"outcome": "accepted", "id": f"x{asked.form['id']}"})


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(accepted) as running:
        yield running


@pytest.fixture(autouse=True)
def channels(aws: Aws, site: Site) -> None:
    """Two channels of one aggregator, of two workspaces."""
    aws.aggregator("fast", "XX", lane="own", config={"url": site.url})
    aws.channel(type="XX")
    aws.channel(OTHER, type="XX", address="9090", workspace="other")


def now() -> int:
    return clock.now_ms()


# --- what is said of it ---------------------------------------------------------------------------------------------


def test_nothing_is_frozen() -> None:
    assert freezes.load().all() == []
    assert freezes.current().holding("fast", "unicef") is None
    assert freezes.current().cancelling("fast", "unicef", 0) == ""


def test_a_freeze_keeps_its_beginning_and_a_cancellation_outlives_it() -> None:
    freezes.freeze("aggregator", "fast", "runaway broadcast", 1000)
    assert freezes.freeze("aggregator", "fast", "", 2000, cancel=True).since == 1000
    assert freezes.load().all() == [Freeze("aggregator", "fast", 1000, "runaway broadcast", 2000, "")]
    freezes.thaw("aggregator", "fast", 3000)
    found = freezes.load()
    assert found.holding("fast", "unicef") is None
    assert found.cancelling("fast", "unicef", 2000) == "cancelled with aggregator fast"
    assert found.cancelling("fast", "unicef", 2001) == ""
    freezes.freeze("workspace", "unicef", "", 2000 + 1000 * 35 * 86_400)
    assert [one.name for one in freezes.load().all()] == ["unicef"], "no message is as old as that"


@pytest.mark.parametrize(
    ("kind", "name", "held"),
    [
        pytest.param("aggregator", "fast", True, id="aggregator"),
        pytest.param("workspace", "unicef", True, id="workspace"),
        pytest.param("aggregator", "unicef", False, id="another-aggregator"),
        pytest.param("workspace", "fast", False, id="another-workspace"),
    ],
)
def test_a_name_is_of_its_kind_only(kind: Kind, name: str, *, held: bool) -> None:
    freezes.freeze(kind, name, "", 1000, cancel=True)
    assert (freezes.current().holding("fast", "unicef") is not None) is held
    assert bool(freezes.current().cancelling("fast", "unicef", 1)) is held


def test_two_at_work_at_once_undo_nothing_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    real = freezes._data

    def slow() -> str | None:
        found = real()
        monkeypatch.setattr(freezes, "_data", real)
        freezes.freeze("workspace", "other", "", 2)
        return found

    monkeypatch.setattr(freezes, "_data", slow)
    with pytest.raises(freezes.ChangedMeanwhile):
        freezes.freeze("aggregator", "fast", "", 1)
    assert [one.key for one in freezes.load().all()] == ["workspace:other"]


def test_while_aws_is_away_the_last_that_is_known_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> freezes.Freezes:
        raise ConnectionError

    freezes.freeze("aggregator", "fast", "", 1)
    with monkeypatch.context() as patch:
        patch.setattr(freezes, "load", away)
        with pytest.raises(ConnectionError):
            freezes.current()
    freezes.current()
    monkeypatch.setattr(freezes, "load", away)
    monkeypatch.setattr(freezes, "_due", 0.0)
    assert freezes.current().holding("fast", "") is not None


# --- λ send ---------------------------------------------------------------------------------------------------------


def test_messages_wait_and_go_on_in_order(
    lane: Lane, site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JANGADA_METRICS", "Jangada")
    freezes.freeze("aggregator", "fast", "", now())
    for number, to in ((1, A), (2, A), (3, B)):
        lane.put(number, to)
    assert lane.run() == ["1", "2", "3"]
    assert counted(capsys.readouterr().out)["frozen", "fast"] > 0, "the dashboard shows it"
    assert (asked(site), lane.outcomes()) == ([], [])
    freezes.thaw("aggregator", "fast", now())
    lane.give_again()
    assert lane.run() == []
    assert sorted(asked(site)) == ["1", "2", "3"]
    assert asked(site).index("1") < asked(site).index("2")
    assert [told[2] for told in lane.outcomes()] == [True, True, True]


def test_what_is_frozen_for_long_fills_no_lane(lane: Lane, site: Site) -> None:
    freezes.freeze("aggregator", "fast", "", now() - 61_000)
    lane.put(1, A)
    assert lane.run() == []
    assert [(number, record.attempt) for number, record, _ in lane.aside()] == [("1", 1)]
    lane.bring_back()
    freezes.thaw("aggregator", "fast", now())
    assert lane.run() == []
    assert asked(site) == ["1"]


def test_a_workspace_is_frozen_and_its_neighbour_is_not(lane: Lane, site: Site) -> None:
    freezes.freeze("workspace", "unicef", "", now())
    lane.put(1, A)
    lane.put(2, B, channel=OTHER)
    assert lane.run() == ["1"]
    assert asked(site) == ["2"]


def test_a_batch_that_is_under_way_stops(lane: Lane, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezes, "FRESH", 0.0)

    def frozen_meanwhile(asked: Asked) -> tuple[int, str]:
        freezes.freeze("aggregator", "fast", "", now())
        return accepted(asked)

    site.answer = frozen_meanwhile
    for number in (1, 2, 3):
        lane.put(number, A)
    lane.put(4, B, text="a text that is sent as two parts", first_seen=now() + 1)
    assert set(lane.run()) >= {"2", "3"}
    assert asked(site).count("2") == asked(site).count("3") == 0
    assert len(asked(site)) <= 2, "of a long message too the next part waits"


def test_what_is_cancelled_fails_once_and_what_comes_later_waits(lane: Lane, site: Site) -> None:
    early = now()
    for number, to in ((1, A), (2, A), (3, B)):
        lane.put(number, to, first_seen=early)
    lane.put(4, A, first_seen=early + 60_000)
    freezes.freeze("aggregator", "fast", "runaway broadcast", early + 1000, cancel=True)
    assert lane.run() == ["4"]
    assert asked(site) == []
    assert lane.outcomes() == [(str(n), 0, False, RUNAWAY) for n in (1, 2, 3)]
    for number in (1, 2, 3):
        state = ledger.get(CHANNEL, str(number))
        assert state is not None
        assert state.overall() is Status.FAILED


def test_a_second_copy_of_a_cancelled_message_tells_the_same(lane: Lane, site: Site) -> None:
    record = lane.put(1, A)
    freezes.freeze("aggregator", "fast", "runaway broadcast", now() + 1, cancel=True)
    assert lane.run() == []
    entry = queues.lane_entry(record)
    queues.send(LANE, queues.Entry(entry.body, entry.group, "another"))
    freezes.thaw("aggregator", "fast", now())
    assert lane.run() == []
    assert asked(site) == []
    assert set(lane.outcomes()) == {("1", 0, False, RUNAWAY)}


def test_what_was_accepted_before_is_not_cancelled(lane: Lane, site: Site) -> None:
    record = lane.put(1, A)
    ledger.claim(record.key, 0, 1, owner="o", until=now() + 1000, now=now())
    ledger.accept(record.key, 0, 1, "o", "x1", now())
    freezes.freeze("aggregator", "fast", "", now() + 1, cancel=True)
    assert lane.run() == []
    assert lane.outcomes() == [("1", 0, True, "x1")]
    assert asked(site) == []


def test_what_waits_aside_is_cancelled_when_it_comes_back_though_all_is_thawed(lane: Lane, site: Site) -> None:
    freezes.freeze("aggregator", "fast", "", now() - 120_000)
    lane.put(1, A)
    assert lane.run() == []
    assert [number for number, _, _ in lane.aside()] == ["1"]
    freezes.freeze("aggregator", "fast", "runaway broadcast", now(), cancel=True)
    freezes.thaw("aggregator", "fast", now())
    lane.bring_back()
    assert lane.run() == []
    assert lane.outcomes() == [("1", 0, False, RUNAWAY)]
    assert asked(site) == []


def test_messages_of_a_disabled_channel_are_cancelled_too(lane: Lane, aws: Aws, site: Site) -> None:
    aws.channel(type="XX", enabled=False)
    registry.reset()
    lane.put(1, A)
    freezes.freeze("workspace", "unicef", "", now() + 1, cancel=True)
    assert lane.run() == []
    assert lane.outcomes() == [("1", 0, False, "cancelled with workspace unicef")]
