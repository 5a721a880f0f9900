"""What happens to one submit: the account's limits, the scripted mishaps, the rule for the destination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from smsc_relay.simulator.settings import Answers, Rule

NO_RULE: Final = Rule()


@dataclass(frozen=True, slots=True)
class Fate:
    """`status` None: accepted, and on its way to the phone if `taken`."""

    status: int | None = None
    answer: bool = True
    taken: bool = True
    nack: bool = False
    link: Literal["close", "unbind", "freeze"] | None = None
    rule: Rule = NO_RULE


_ACCEPTED: Final = Fate()


class Rules:
    """Rules by suffix; the longest suffix counts."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = rules
        self._lengths = sorted({len(suffix) for suffix in rules}, reverse=True)

    def find(self, to: str) -> tuple[str, Rule] | None:
        """The suffix and the rule for a destination."""
        for length in self._lengths:
            rule = self._rules.get(to[-length:])
            if rule is not None:
                return to[-length:], rule
        return None


class Judge:
    """Of one account; it counts."""

    def __init__(self) -> None:
        self._submits = 0
        self._accepted = 0
        self._seen: Counter[tuple[str, str]] = Counter()  # by suffix and number, of rules with `times`
        self._tokens = 0.0
        self._filled_at: float | None = None

    def judge(self, to: str, answers: Answers, rules: Rules, over_window: bool, tps: float | None, now: float) -> Fate:
        """`over_window`: the session has more submits without an answer than it may; `now`: seconds."""
        self._submits += 1
        if over_window:
            if answers.over_window == "silence":
                return Fate(answer=False, taken=False)
            return Fate(status=answers.over_window)
        if tps is not None and not self._within(tps, now):
            return Fate(status=answers.over_tps)
        burst = answers.burst
        if burst is not None and (self._submits - 1) % (burst.after + burst.length) >= burst.after:
            return Fate(status=burst.status)
        if _is_due(answers.nack_every, self._submits):
            return Fate(status=answers.nack_status, nack=True)
        found = rules.find(to)
        fate = _ACCEPTED if found is None else self._by_rule(to, *found)
        if fate.status is None and fate.taken:
            self._accepted += 1
            if fate.answer and _is_due(answers.drop_every, self._accepted):
                return Fate(answer=False, rule=fate.rule)
        return fate

    def stray(self, answers: Answers) -> bool:
        """The answer to the last submit is to follow an answer to nothing."""
        return _is_due(answers.stray_every, self._submits)

    def _by_rule(self, to: str, suffix: str, rule: Rule) -> Fate:
        if rule.times is not None:
            self._seen[suffix, to] += 1
            if self._seen[suffix, to] > rule.times:
                return _ACCEPTED
        return Fate(rule.status, rule.answer, rule.taken, rule.nack, rule.link, rule)

    def _within(self, tps: float, now: float) -> bool:
        """A token bucket that holds one second's worth."""
        most = max(1.0, tps)
        self._tokens = most if self._filled_at is None else min(most, self._tokens + (now - self._filled_at) * tps)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _is_due(every: int | None, count: int) -> bool:
    return every is not None and count % every == 0
