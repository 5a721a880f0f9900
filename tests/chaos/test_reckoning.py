"""The storm's arithmetic: nothing that is lost, or comes twice for no reason, may pass for well."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.reckoning import Direction, Strike, Trouble, blame, copies, directions, troubles

KILLED = Trouble("killed", doubt=2)
RESET = Trouble("reset", doubt=1)
JUMP = Trouble("clock")


@pytest.mark.parametrize(
    ("sent", "arrived", "there", "lost", "twice"),
    [
        pytest.param("ab", "ab", 2, 0, 0, id="all"),
        pytest.param("ab", "b", 1, 1, 0, id="lost"),
        pytest.param("ab", "aab", 2, 0, 1, id="twice"),
        pytest.param("aab", "ab", 2, 1, 0, id="one of two honest ones"),
        pytest.param("aab", "aaab", 3, 0, 1, id="a third of two"),
        pytest.param("ab", "aa", 1, 1, 1, id="one for another"),
        pytest.param("a", "ab", 1, 0, 1, id="never sent"),
    ],
)  # fmt: skip
def test_what_is_lost_and_what_came_twice(sent: str, arrived: str, there: int, lost: int, twice: int) -> None:
    found = Direction("phones", sent=Counter(sent), arrived=Counter(arrived))
    assert (found.there, found.lost, found.twice) == (there, lost, twice)


@pytest.mark.parametrize(
    ("pairs", "found", "nobody"),
    [
        pytest.param([(90, 150)], {"reset": 1}, 0, id="in between"),
        pytest.param([(10, 50)], {}, 1, id="before all trouble"),
        pytest.param([(900, 950)], {}, 1, id="after all trouble"),
        pytest.param([(140, 190)], {}, 1, id="a trouble that loses no answers"),
        pytest.param([(90, 120), (91, 121)], {"reset": 1}, 1, id="more than one can have made"),
        pytest.param([(90, 250), (95, 120)], {"reset": 1, "killed": 1}, 0, id="the one that cannot be another's"),
        pytest.param([(105, 230), (150, 220), (160, 230)], {"reset": 1, "killed": 2}, 0, id="while it goes on"),
        pytest.param([(190, 300)] * 3, {"killed": 2}, 1, id="three of two in doubt"),
    ],
)
def test_who_made_the_copies(pairs: list[tuple[int, int]], found: dict[str, int], nobody: int) -> None:
    strikes = [Strike(RESET, 100, 110), Strike(JUMP, 145, 180), Strike(KILLED, 200, 210)]
    assert blame(strikes, pairs) == (Counter(found), nobody)


def test_copies_are_what_came_after_the_first() -> None:
    assert copies({"a": [5], "b": [9, 7], "c": [1, 2, 4]}) == [(7, 9), (1, 2), (2, 4)]


def test_the_tables() -> None:
    strikes = [Strike(KILLED, 1, 2), Strike(RESET, 3, 4), Strike(KILLED, 5, 6), Strike(JUMP, 7, 8)]
    assert troubles(strikes, {"killed": 3}, 1).splitlines() == [
        "trouble       | times | twice | each may | allowed",
        "--------------|-------|-------|----------|--------",
        "clock         |     1 |     0 |        0 |       0",
        "killed        |     2 |     3 |        2 |       4",
        "reset         |     1 |     0 |        1 |       1",
        "none of these |       |     1 |          |       0",
    ]
    phones = Direction("phones", 5, Counter(range(1200)), Counter([*range(3, 1200)] * 2))
    assert directions([phones, Direction("replies")]).splitlines() == [
        "direction |  sent | arrived | lost | twice | allowed",
        "----------|-------|---------|------|-------|--------",
        "phones    | 1,200 |   1,197 |    3 | 1,197 |       5",
        "replies   |     0 |       0 |    0 |     0 |       0",
    ]
