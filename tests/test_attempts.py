"""When a record is offered again: every decision, as tables."""

from __future__ import annotations

import pytest

from chalicelib import attempts
from chalicelib.attempts import Aside, Hold, Standing

NOW = 1_800_000_000_000
DAY = 86_400_000


def standing(attempt: int = 1, trouble: float | None = None, left: int = DAY, receives: int = 1) -> Standing:
    """A record whose trouble began `trouble` seconds ago (None: no trouble yet)."""
    since = 0 if trouble is None else NOW - round(trouble * 1000)
    return Standing(attempt=attempt, trouble_since=since, expires_at=NOW + left, receive_count=receives)


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        pytest.param(None, 5, id="first failure"),
        pytest.param(0.0, 5, id="the same moment"),
        pytest.param(5.2, 15, id="second"),
        pytest.param(20.4, 39.6, id="third: never beyond the hold"),
        pytest.param(19.9, 15, id="a redelivery in between does not shorten the step"),
        pytest.param(58.0, 2, id="what is left of the hold"),
    ],
)
def test_trouble_keeps_the_contact_waiting_for_a_minute(trouble: float | None, expected: float) -> None:
    wait = attempts.after_failure(standing(trouble=trouble), NOW, 0.5)
    assert isinstance(wait, Hold)
    assert wait.seconds == pytest.approx(expected)


@pytest.mark.parametrize(
    ("attempt", "minutes"),
    [pytest.param(a, m, id=f"attempt {a}") for a, m in ((1, 2), (2, 5), (3, 10), (4, 30), (5, 60), (6, 60), (90, 60))],
)
def test_after_that_it_steps_aside_for_longer_and_longer(attempt: int, minutes: int) -> None:
    wait = attempts.after_failure(standing(attempt=attempt, trouble=60), NOW, 0.5)
    assert wait == Aside(NOW + minutes * 60_000, attempt + 1, NOW - 60_000)


def test_waits_aside_are_spread_around_their_length() -> None:
    waits = [attempts.after_failure(standing(trouble=61), NOW, spread) for spread in (0.0, 0.5, 0.999)]
    times = [wait.not_before - NOW for wait in waits if isinstance(wait, Aside)]
    assert times[0] == 102_000
    assert times[0] < times[1] < times[2] < 138_000


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        pytest.param(
            attempts.after_failure(standing(attempt=5, trouble=70, left=90_000), NOW, 0.5),
            Aside(NOW + 90_000, 6, NOW - 70_000),
            id="aside",
        ),
        pytest.param(attempts.after_failure(standing(left=2_000), NOW, 0.5), Hold(2.0), id="in the lane"),
        pytest.param(
            attempts.until(standing(left=100_000), NOW + 600_000, NOW), Aside(NOW + 100_000, 1, 0), id="throttled"
        ),
        pytest.param(attempts.while_disabled(standing(left=9_000), NOW, 0.0), Aside(NOW + 9_000, 1, 0), id="disabled"),
        pytest.param(
            attempts.while_disabled(standing(left=-5), NOW, 0.0), Aside(NOW, 1, 0), id="expired in the meantime"
        ),
    ],
)
def test_no_wait_passes_the_expiry(wait: attempts.Wait, expected: attempts.Wait) -> None:
    assert wait == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param(NOW + 7_500, Hold(7.5), id="short"),
        pytest.param(NOW + 60_000, Hold(60), id="as long as order is worth"),
        pytest.param(NOW + 61_000, Aside(NOW + 61_000, 3, NOW - 8_000), id="longer: aside, attempt and trouble kept"),
        pytest.param(NOW - 5, Hold(0), id="past"),
    ],
)
def test_waiting_through_no_fault_of_the_message_counts_no_attempt(moment: int, expected: attempts.Wait) -> None:
    assert attempts.until(standing(attempt=3, trouble=8), moment, NOW) == expected


def test_a_record_received_too_often_goes_aside_for_a_fresh_count() -> None:
    often = standing(receives=attempts.MANY_RECEIVES)
    assert attempts.until(often, NOW + 5_000, NOW) == Aside(NOW + 5_000, 1, 0)
    assert attempts.while_paused(often, NOW, NOW, 0.5) == Aside(NOW + 20_000, 1, 0)
    assert attempts.after_failure(often, NOW, 0.5) == Aside(NOW + 120_000, 2, NOW)


@pytest.mark.parametrize(
    ("paused_for", "expected"),
    [
        pytest.param(0, Hold(20), id="just now"),
        pytest.param(59, Hold(20), id="within the hold"),
        pytest.param(60, Aside(NOW + 300_000, 1, 0), id="longer"),
    ],
)
def test_a_paused_lane_is_waited_for_in_it_and_then_aside(paused_for: int, expected: attempts.Wait) -> None:
    assert attempts.while_paused(standing(), NOW - paused_for * 1000, NOW, 0.0) == expected


def test_an_unknown_channel_is_waited_for_an_hour() -> None:
    first = attempts.while_unknown(standing(), NOW, 0.5)
    assert first == Aside(NOW + 60_000, 1, NOW)
    later = attempts.while_unknown(standing(trouble=3599), NOW, 0.5)
    assert later == Aside(NOW + 60_000, 1, NOW - 3_599_000)
    assert attempts.while_unknown(standing(trouble=3600), NOW, 0.5) is None


@pytest.mark.parametrize(("left", "expected"), [pytest.param(1, False, id="not yet"), pytest.param(0, True, id="now")])
def test_expiry(left: int, expected: bool) -> None:
    assert attempts.expired(standing(left=left), NOW) is expected
