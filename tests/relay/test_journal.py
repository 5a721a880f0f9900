"""What the log has of an SMSC that breaks rules, as often as it likes and in as many ways."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from smsc_relay import faults
from smsc_relay.journal import Journal
from tests.lane import logged
from tests.relay.test_announced import lines

MORE = "more than 20 different faults within a minute: the others are only counted"


@pytest.fixture
def journal() -> Iterator[Journal]:
    made = Journal()
    yield made
    made._thread.shutdown()


def told(journal: Journal, *happened: tuple[str, float], aggregator: str = "fast") -> list[dict[str, Any]]:
    """The lines on these faults, each a reason and a time."""
    with logged() as log:
        for reason, at in happened:
            journal.fault(aggregator, reason, at)
    found = lines(log.getvalue(), "smsc_fault")
    assert {(one["level"], one["aggregator"]) for one in found} <= {("WARNING", aggregator)}
    return found


def test_a_fault_has_a_line_a_minute(journal: Journal) -> None:
    found = told(journal, *[("odd", at / 10) for at in range(1_300)], ("other", 129))
    assert [one["reason"] for one in found] == ["odd", "odd", "odd", "other"]
    assert journal._counts["faults", "fast"] == 1_301


def test_faults_of_ever_other_reasons_have_a_few_lines(journal: Journal) -> None:
    """A minute and a half of 20,000 state words. How many have had none is told when there is room again."""
    found = told(journal, *[(f"the unknown state {number}", number * 90 / 20_000) for number in range(20_000)])
    assert [one["reason"] for one in found[:20]] == [f"the unknown state {number}" for number in range(20)]
    assert found[20]["reason"] == MORE
    again = found[21:]
    assert Counter(one["reason"] == MORE for one in again) == {False: 20, True: 1}
    assert sum(one.get("untold", 0) for one in again) >= 13_000
    assert journal._counts["faults", "fast"] == 20_000


def test_a_flood_takes_the_lines_of_no_other_link(journal: Journal) -> None:
    told(journal, *[(f"odd {number}", 1) for number in range(2_000)])
    assert len(told(journal, ("odd", 1), ("odd", 2), aggregator="slow")) == 1
    assert not told(journal, ("odd", 3), aggregator="slow")


def test_no_more_is_remembered_than_has_a_line(journal: Journal) -> None:
    told(journal, *[(f"odd {number}", number / 100) for number in range(20_000)])
    assert len(journal._faults["fast"]._told) <= faults.MOST
