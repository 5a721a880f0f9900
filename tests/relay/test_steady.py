"""A clock that is set while messages are under way."""

from __future__ import annotations

import pytest

from chalicelib import inbox
from chalicelib.messages import Incoming
from chalicelib.records import MoEvent
from smsc_relay.steady import Steady
from tests.support import Aws

SECOND = 1_000_000_000
HOUR = 3600
TEN_OCLOCK = 1_772_359_200_000  # ms


class Clocks:
    """The two clocks of a machine, which a test sets."""

    def __init__(self) -> None:
        self.monotonic, self.wall = 1000 * SECOND, TEN_OCLOCK * 1_000_000
        self.now_ms = Steady(lambda: self.wall, lambda: self.monotonic)

    def go_on(self, seconds: float) -> None:
        self.monotonic += round(seconds * SECOND)
        self.wall += round(seconds * SECOND)

    def jump(self, seconds: float) -> None:
        self.wall += round(seconds * SECOND)

    @property
    def after(self) -> float:
        """Seconds since ten o'clock that are told."""
        return (self.now_ms() - TEN_OCLOCK) / 1000


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_it_tells_the_time_of_day(clocks: Clocks) -> None:
    assert clocks.after == 0
    clocks.go_on(90)
    assert clocks.after == 90


@pytest.mark.parametrize("by", [HOUR, -HOUR, 2, -2])
def test_a_jump_is_passed_over_and_so_is_its_way_back(clocks: Clocks, by: float) -> None:
    clocks.jump(by)
    assert clocks.after == 0
    clocks.go_on(10)
    assert clocks.after == 10
    clocks.jump(-by)
    clocks.go_on(10)
    assert clocks.after == 20


def test_what_is_gained_bit_by_bit_is_followed(clocks: Clocks) -> None:
    for _ in range(100):
        clocks.go_on(1)
        clocks.jump(0.1)
        assert clocks.after == (clocks.wall // 1_000_000 - TEN_OCLOCK) / 1000
    assert clocks.after == 110


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_jump_that_lasts_is_the_truth(clocks: Clocks, by: float) -> None:
    clocks.jump(by)
    assert clocks.after == 0
    clocks.go_on(299)
    assert clocks.after == 299
    clocks.go_on(1)
    assert clocks.after == 300 + by


def test_another_jump_on_top_does_not_make_the_first_one_younger(clocks: Clocks) -> None:
    clocks.jump(HOUR)
    assert clocks.after == 0
    clocks.go_on(200)
    clocks.jump(HOUR)
    assert clocks.after == 200
    clocks.go_on(100)
    assert clocks.after == 300 + 2 * HOUR


@pytest.mark.parametrize("by", [HOUR, -HOUR])
@pytest.mark.parametrize("when", ["before the first copy", "after it"])
def test_a_redelivery_around_a_jump_is_one(aws: Aws, clocks: Clocks, when: str, by: float) -> None:
    """An MO is received, its session ends before it is answered, and the next session has it again."""

    def copy(session: str, since: int) -> MoEvent:
        message = Incoming(channel="", sender="+250788123456", text="Join")
        return MoEvent(event_id=f"{session}-{since}", message=message, aggregator="smsc", to="8080", session=session,
                       session_since=since, at=clocks.now_ms())  # fmt: skip

    first_since = clocks.now_ms()
    clocks.go_on(1)
    if when == "before the first copy":
        clocks.jump(by)
    first = copy("one", first_since)
    clocks.jump(by if when == "after it" else -by)
    clocks.go_on(1)
    second_since = clocks.now_ms()
    clocks.go_on(1)
    assert not inbox.is_repeat(first)
    assert inbox.is_repeat(copy("two", second_since))
