"""Binds that look well and answer no submit: what people see of them, what becomes of messages, and how it ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from chalicelib import attempts
from smsc_relay import silence
from smsc_relay.accounts import kind_of
from smsc_relay.relay import Relay
from smsc_relay.silence import Silence
from tests.lane import logged
from tests.relay.conftest import World, eventually, relaying
from tests.relay.smsc import Session, Smsc
from tests.relay.test_announced import lines
from tests.relay.test_every_protocol import Protocol, protocol, simulator  # noqa: F401 - a fixture

HOUR = 3600
DIGITS = "0123456789"
MUTE = {"destinations": {digit: {"answer": False} for digit in DIGITS}}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "BACKOFF", (1, 1, 1))


def link(relay: Relay) -> dict[str, Any]:
    found: dict[str, Any] = relay.report()["links"].get("fast", {"state": "", "error": ""})
    return found


def paused(relay: Relay) -> bool:
    return bool(link(relay)["state"] == "paused")


def everybody(count: int) -> list[str]:
    return sorted(map(str, range(1, count + 1)))


# --- the account ----------------------------------------------------------------------------------------------------


async def test_an_smsc_that_answers_no_submit_is_seen_and_left_in_peace(
    world: World,
    protocol: Protocol,  # noqa: F811
) -> None:
    """It answers keepalives. A window goes in vain, then nothing does."""
    async with simulator(script=MUTE) as smsc:
        protocol.account(world, smsc, keepalive=0.5, response_timeout=2, in_doubt_wait=0, refused_delay=HOUR)
        world.put_many(12)
        with logged() as log:
            async with relaying(kinds=kind_of) as relay:
                await eventually(lambda: paused(relay))
                assert link(relay)["error"] == "1-transceiver: no answer to a submit for 2 s"
                assert link(relay)["binds"][0]["state"] == "up"
                await eventually(lambda: world.in_lane() == (12, 0))
                assert len(smsc.submits) == 4
    assert len(smsc.submits) == 4
    (warned,) = lines(log.getvalue(), "submits_unanswered")
    (down,) = lines(log.getvalue(), "channel_down")
    assert (warned["level"], warned["aggregator"]) == ("WARNING", "fast")
    assert warned["reason"] == down["reason"] == "1-transceiver: no answer to a submit for 2 s"
    assert not world.outcomes()


async def test_it_is_tried_with_one_message_and_is_well_with_the_first_answer(
    world: World,
    protocol: Protocol,  # noqa: F811
) -> None:
    async with simulator(script=MUTE) as smsc:
        protocol.account(world, smsc, keepalive=0.3, response_timeout=1, in_doubt_wait=0, refused_delay=0.5)
        world.put_many(12)
        with logged() as log:
            async with relaying(kinds=kind_of) as relay:
                await eventually(lambda: len(lines(log.getvalue(), "channel_down")) >= 2)
                smsc.configure({"destinations": dict.fromkeys(DIGITS)})
                await world.lane_empty()
                assert link(relay)["state"] == "up"
    waits = [line["retry_in_s"] for line in lines(log.getvalue(), "channel_down")]
    assert waits == [0.5, 2.5, 7.5][: len(waits)]
    assert sorted({one[0] for one in world.outcomes() if one[2]}) == everybody(12)


async def test_a_late_answer_ends_the_pause(world: World) -> None:
    """It is only slow: what it answers late is not sent again, and the others go on."""
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, keepalive=0, window=4, response_timeout=1, refused_delay=HOUR)
        world.put_many(12)
        async with relaying() as relay:
            await eventually(lambda: paused(relay))
            smsc.answer = lambda said: {"id": f"x{said['id']}-0"}
            smsc.answer_open()
            await world.lane_empty()
            assert link(relay)["state"] == "up"
    assert sorted(smsc.ids()) == everybody(12)


async def test_a_new_login_ends_the_pause(world: World) -> None:
    """It was the connection that was dead."""
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, keepalive=0, window=4, response_timeout=1, refused_delay=HOUR, in_doubt_wait=0)
        world.put_many(12)
        async with relaying() as relay:
            await eventually(lambda: paused(relay))
            smsc.answer = lambda said: {"id": f"x{said['id']}-0"}
            smsc.drop()
            await world.lane_empty()
    assert sorted(set(smsc.ids())) == everybody(12)


async def test_a_dead_connection_is_for_the_keepalive_to_find_out(world: World) -> None:
    """Nothing at all is heard over it, and the SMSC could be asked: the account is not in trouble. Its window stays
    narrow meanwhile."""
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, keepalive=30, window=4, response_timeout=1, refused_delay=HOUR, in_doubt_wait=0)
        world.put_many(12)
        async with relaying() as relay:
            await smsc.until(lambda: len(smsc.submits) == 6)
            assert link(relay)["state"] == "up"
            smsc.answer = lambda said: {"id": f"x{said['id']}-0"}
            smsc.drop()
            await world.lane_empty()
    assert sorted(set(smsc.ids())) == everybody(12)


@pytest.mark.parametrize("error", ["permanent", "temporary"])
async def test_a_late_refusal_is_an_answer_too(world: World, error: str) -> None:
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, keepalive=0, window=4, response_timeout=1, refused_delay=HOUR, in_doubt_wait=0)
        world.put_many(12)
        async with relaying() as relay:
            await eventually(lambda: paused(relay))
            smsc.answer = lambda said: {"id": f"x{said['id']}-0"}
            smsc.answer_open(error)
            await world.lane_empty()
            assert link(relay)["state"] == "up"


async def test_what_is_in_doubt_is_decided_as_the_account_says_and_the_others_wait(world: World) -> None:
    async with Smsc(lambda said: None) as smsc:
        world.account(
            smsc, keepalive=0, window=4, response_timeout=1, refused_delay=HOUR, in_doubt="fail", in_doubt_wait=0
        )
        world.put_many(12)
        async with relaying() as relay:
            await eventually(lambda: paused(relay))
            await eventually(lambda: world.in_lane()[0] + len(set(smsc.ids())) == 12)
    outcomes = world.outcomes()
    assert sorted(one[0] for one in outcomes) == sorted(smsc.ids())
    assert len(outcomes) == 4
    assert {one[3] for one in outcomes} == {"in doubt: the SMSC has not answered"}


async def test_one_slow_message_is_no_silence(world: World) -> None:
    """Not even where nothing else is open meanwhile."""
    async with Smsc(lambda said: None if smsc.ids().count("1") == 1 and said["id"] == "1" else {"id": "x"}) as smsc:
        world.account(smsc, keepalive=0, window=1, response_timeout=1, refused_delay=HOUR, in_doubt_wait=0)
        world.put_many(4)
        async with relaying() as relay:
            await eventually(lambda: link(relay)["error"] == "1-transceiver: no answer to a submit for 1 s")
            await world.lane_empty()
    assert sorted(set(smsc.ids())) == everybody(4)


async def test_a_small_window_must_go_in_vain_three_times(world: World) -> None:
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, keepalive=0, window=1, response_timeout=1, refused_delay=HOUR, in_doubt_wait=0)
        world.put_many(12)
        async with relaying() as relay:
            await eventually(lambda: paused(relay))
            assert len(smsc.submits) == silence.LEAST


# --- one of several binds -------------------------------------------------------------------------------------------


def only_to(smsc: Smsc, well: list[Session], said: dict[str, Any]) -> dict[str, Any] | None:
    """An SMSC that answers over these sessions alone."""
    mine = next(one for one in smsc.sessions if one.open.get(said["n"]) is said)
    return {"id": f"x{said['id']}-{said['part']}"} if mine in well else None


async def test_a_mute_bind_among_others_is_bound_anew_and_they_go_on(world: World) -> None:
    mute: list[Session] = []
    async with Smsc() as smsc:
        world.account(smsc, keepalive=0, binds=2, window=3, response_timeout=1, refused_delay=HOUR, in_doubt_wait=0)
        smsc.answer = lambda said: only_to(smsc, [one for one in smsc.sessions if one not in mute], said)
        async with relaying() as relay:
            await smsc.until(lambda: len(smsc.sessions) == len(smsc.logins) == 2)
            mute.append(smsc.sessions[0])
            with logged() as log:
                world.put_many(40)
                await smsc.until(lambda: len(smsc.logins) == 3)
                await world.lane_empty()
            assert link(relay)["state"] == "up"
    assert mute[0].said_bye
    (told,) = lines(log.getvalue(), "bind_mute")
    assert re.fullmatch("[12]-transceiver: no answer to a submit for 1 s", told["reason"])
    assert sorted(set(smsc.ids())) == everybody(40)
    assert len(smsc.ids()) <= 40 + 6


async def test_a_bind_that_stays_mute_is_given_one_message_at_a_time(world: World) -> None:
    """Only where the others have no room: it takes as few as can be with it."""
    well: list[Session] = []
    seen: dict[int, Session] = {}
    most: dict[int, int] = {}

    def answer(said: dict[str, Any]) -> dict[str, Any] | None:
        for one in smsc.sessions:
            seen[id(one)] = one
            most[id(one)] = max(most.get(id(one), 0), len(one.open))
        return only_to(smsc, well, said)

    async with Smsc() as smsc:
        world.account(smsc, keepalive=0, binds=2, window=3, response_timeout=1, refused_delay=HOUR, in_doubt_wait=0)
        smsc.answer = answer
        async with relaying() as relay:
            await smsc.until(lambda: len(smsc.sessions) == len(smsc.logins) == 2)
            first, other = smsc.sessions
            well.append(other)
            world.put_many(40)
            for logins in (3, 4):  # a rest, and another rush that the others have no room for
                await smsc.until(lambda logins=logins: len(smsc.logins) == logins and len(smsc.sessions) == 2)
                world.put_many(40, first=40 * logins)
            await world.lane_empty()
            assert link(relay)["state"] == "up"
    assert most[id(first)] == 3
    assert [most[name] for name, one in seen.items() if one not in (first, other) and one.open]
    assert all(most[name] <= 1 for name, one in seen.items() if one not in (first, other))


# --- the rule -------------------------------------------------------------------------------------------------------

Told = Sequence[tuple[str, float]]  # what became of a submit, and when it was made


@pytest.mark.parametrize(
    ("window", "told", "mute"),
    [
        pytest.param(1, [("silent", 1), ("silent", 2)], [], id="two in a row may be chance"),
        pytest.param(1, [("silent", 1), ("silent", 2), ("silent", 3)], [3], id="three are not"),
        pytest.param(5, [("silent", at) for at in range(1, 5)], [], id="not a whole window"),
        pytest.param(5, [("silent", at) for at in range(1, 6)], [5], id="a whole window"),
        pytest.param(1000, [("silent", at) for at in range(1, 21)], [20], id="of a large one twenty"),
        pytest.param(3, [("silent", 1), ("silent", 1), ("answered", 2), ("silent", 3)], [], id="an answer between"),
        pytest.param(3, [("answered", 9), *[("silent", at) for at in range(1, 9)]], [], id="later ones are answered"),
        pytest.param(3, [("answered", 1), *[("silent", at) for at in (2, 3, 4)]], [4], id="none later is answered"),
        pytest.param(3, [("silent", at) for at in (1, 1, 1, 2, 2, 200)], [3, 6], id="what was on its way by then"),
        pytest.param(
            3, [*[("silent", 1)] * 3, ("answered", 200), *[("silent", 201)] * 2], [3], id="well again with an answer"
        ),
    ],
)
def test_when_a_bind_is_mute(window: int, told: Told, mute: list[int]) -> None:
    """`mute`: after which of what is told; each is told 100 s after it was submitted."""
    one: Any = type("Bind", (), {"window": window})()
    rule, found = Silence(), list[int]()
    for number, (what, at) in enumerate(told, 1):
        if what == "answered":
            rule.answered(one, at)
        elif rule.timed_out(one, at, 100 + at):
            found.append(number)
    assert found == mute


def test_others_answer_when_something_was_answered_that_was_submitted_later() -> None:
    one, other = (type("Bind", (), {"window": 3})() for _ in range(2))
    rule: Any = Silence()
    answered = partial(rule.answered, other)
    answered(1.0)
    for _ in range(3):
        rule.timed_out(one, 2.0, 3.0)
    assert not rule.alone(one)
    answered(2.5)
    assert rule.alone(one)
    assert (rule.window(one), rule.window(other)) == (1, 3)
