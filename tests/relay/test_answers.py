"""Which answers to MOs an SMSC has read, by its words on questions that are written behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from smsc_relay import ends
from smsc_relay.ends import SILENT, Answers
from smsc_relay.protocol import Answered


class Line:
    """What `Answers` sees of a connection, under a clock that the test moves."""

    def __init__(self) -> None:
        self.time = self.heard = 1000.0
        self.left: float | None = None
        self.asked: list[asyncio.Future[Answered]] = []
        self.answers = Answers()
        self._before: list[Callable[[], None]] = []
        self._connection: Any = self

    def now(self) -> float:
        return self.time

    def before_writing(self, call: Callable[[], None]) -> None:
        self._before.append(call)

    def probe(self) -> asyncio.Future[Answered] | None:
        self.asked.append(asyncio.get_running_loop().create_future())
        return self.asked[-1]

    def give(self, *mos: int) -> None:
        """Answers to MOs that came at these times, in one write; a millisecond between them."""
        for at in mos:
            self.answers.owed(at, at)
            self.answers.given(at, self._connection)
            self.time += 0.001
        while self._before:
            self._before.pop()()

    async def word(self, number: int, problem: str = "") -> None:
        """The SMSC's on a question."""
        self.heard = self.time
        self.asked[number].set_result(Answered(None, (), problem))
        await asyncio.sleep(0)

    def lost(self) -> tuple[int | None, int | None]:
        """The link is, now: the first MO whose answer may not have been read, and the first whose has not been."""
        return self.answers.doubtful(self._connection), self.answers.unanswered(self._connection)


async def test_with_each_write_of_answers_one_question_is_asked() -> None:
    line = Line()
    line.give(1, 2, 3)
    line.give(4)
    assert len(line.asked) == 2
    assert line.lost() == (1, None), "its word may be on the way"
    await line.word(1)
    assert line.lost() == (None, None), "it reads in order"


async def test_who_is_silent_has_not_read_what_was_given_with_the_first_question_that_is_open() -> None:
    line = Line()
    line.give(1)
    line.give(2, 3)
    line.give(4)
    await line.word(0)
    line.time += SILENT
    assert line.lost() == (2, 2)


async def test_what_it_has_read_when_it_fell_silent_is_no_copy() -> None:
    """Its last word was on the question behind this very answer, though others were open then."""
    line = Line()
    line.give(1)
    line.give(2)
    await line.word(0)
    await line.word(1)
    line.time += SILENT
    assert line.lost() == (None, None)


async def test_no_more_questions_are_open_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was given meanwhile is asked for later."""
    monkeypatch.setattr(ends, "MOST", 2)
    line = Line()
    for at in (1, 2, 3, 4):
        line.give(at)
    assert len(line.asked) == 2
    await line.word(0)
    assert len(line.asked) == 2
    await line.word(1)
    assert len(line.asked) == 3
    assert line.lost() == (3, None)
    await line.word(2)
    assert line.lost() == (None, None)


async def test_what_was_given_without_a_question_may_have_been_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question came later: the SMSC may have fallen silent in between."""
    monkeypatch.setattr(ends, "MOST", 1)
    line = Line()
    for at in (1, 2, 3):
        line.give(at)
    await line.word(0)
    assert len(line.asked) == 2
    line.time += SILENT
    assert line.lost() == (2, None)


async def test_who_answers_no_such_question_is_not_asked_again() -> None:
    line = Line()
    line.give(1)
    await line.word(0, "no answer for 60 s")
    line.give(2)
    assert len(line.asked) == 1
    line.time += SILENT
    assert line.lost()[0] == 1
