"""What a codec and a conversation promise, whatever the octets, and the loop that tries to have them break it."""

from __future__ import annotations

import argparse
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from chalicelib.messages import Outgoing
from fuzz.mutation import Mutator
from smsc_relay import dialects
from smsc_relay.protocol import (
    Accepted,
    Arrived,
    CannotEncode,
    Conversation,
    Ended,
    Happening,
    Rejected,
    Role,
    Surroundings,
    Unanswered,
)

_CHANNEL = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"
_MENDED = 0.97  # of the frames in a conversation: most others end it
_TEXTS = ("Love is patient.", "{€}", "رسالة", "long " * 60, "رسالة طويلة " * 20, "")


class Reader(Protocol):
    """A codec's FrameReader."""

    def feed(self, data: bytes, /) -> None: ...

    def next_frame(self) -> bytes | None: ...


@dataclass(frozen=True)
class Target:
    """One protocol."""

    code: str  # of its type
    config: dict[str, Any]  # of an account, without host
    frames: Sequence[bytes]  # known ones
    tokens: Sequence[bytes]
    mend: Callable[[bytes], bytes]
    reader: Callable[[], Reader]
    framing_error: type[Exception]  # what a reader may raise
    check: Callable[[bytes], None]  # a frame's promises; raises where one is broken
    answer: Callable[[bytes], bytes | None]  # what a decent SMSC says to a frame of ours


class BrokenPromiseError(AssertionError):
    """A promise has been broken."""


def main(target: Target) -> int:
    """`python -m fuzz.<name>`: 0 when nothing broke, else 1 and how to have it break again."""
    parser = argparse.ArgumentParser(description=f"Mutated frames against {target.code}: codec and conversation.")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, help="so many instead, however long they take")
    options = parser.parse_args()
    done, failed = run(target, options.seconds, options.seed, options.rounds)
    if failed is not None:
        print(f"\nbroken by: python -m fuzz.{target.code.lower()} --seed {failed} --rounds 1")
        return 1
    print(f"{target.code}: {done} rounds, nothing broken")
    return 0


def run(target: Target, seconds: float, seed: int = 1, rounds: int | None = None) -> tuple[int, int | None]:
    """Rounds until the time is over: how many, and the seed of the one that broke something, which is printed."""
    until = time.monotonic() + seconds
    done = 0
    while done < rounds if rounds is not None else time.monotonic() < until:
        try:
            one_round(target, seed + done)
        except Exception:
            traceback.print_exc()
            return done, seed + done
        done += 1
    return done, None


def one_round(target: Target, seed: int) -> None:
    """Everything that depends on one seed.

    Raises:
        BrokenPromiseError: a promise has been.
        Exception: any, where none may be.
    """
    mutator = Mutator(Random(seed), target.frames, target.tokens, target.mend)
    _reading(target, mutator)
    _Talk(target, mutator, Random(-seed)).run()


# --- the codec ------------------------------------------------------------------------------------------------------


def _reading(target: Target, mutator: Mutator) -> None:
    """However octets are cut on their way, the same frames come of them, and each keeps its promises."""
    data = b"".join(mutator.frame() for _ in range(3))
    whole = _frames(target, [data])
    if _frames(target, mutator.pieces(data)) != whole:
        raise BrokenPromiseError(f"other frames of {len(data)} octets when they are cut differently")
    for frame in whole:
        target.check(frame)


def _frames(target: Target, pieces: Sequence[bytes]) -> list[bytes]:
    reader = target.reader()
    found: list[bytes] = []
    last: Exception | None = None  # one that is raised again is the last word
    for piece in pieces:
        reader.feed(piece)
        while True:
            try:
                frame = reader.next_frame()
            except target.framing_error as error:
                if error is last:
                    break
                last = error
                continue
            if frame is None:
                break
            found.append(frame)
    return found


# --- the conversation -----------------------------------------------------------------------------------------------


class _Talk:
    """A conversation that has logged in, and an SMSC that is not well. Whatever happens: no exception; what we send
    is whole frames; every submit ends in exactly one way; `Ended` comes once."""

    def __init__(self, target: Target, mutator: Mutator, random: Random) -> None:
        self._target, self._mutator, self._random = target, mutator, random
        self._now = 1000.0
        self._numbers = 0
        self._dialect = dialects.load(target.code)
        self._config = dialects.config_of(target.code).read({"host": "smsc", **target.config})
        around = Surroundings("fuzz", lambda: 1_769_851_865_000, self._number)
        self._talk: Conversation = self._dialect.conversation(self._config, Role.TRANSCEIVER, self._now, around)
        self._reader = target.reader()
        self._said: list[bytes] = []  # frames of ours without an answer
        self._open: set[str] = set()  # submits whose end has not come
        self._tokens: list[Any] = []
        self._ended = False

    def _number(self) -> str:
        self._numbers += 1
        return f"n{self._numbers}"

    def run(self) -> None:
        """Log in, do thirty things, end."""
        self._talk.start(self._now)
        self._send()
        self._hear(b"".join(filter(None, map(self._target.answer, self._said))))
        self._said.clear()
        steps = (self._submit, self._submit, self._answer, self._answer, self._disturb, self._disturb, self._settle,
                 self._wait)  # fmt: skip
        for _ in range(30):
            self._random.choice(steps)()
        self._noted(self._talk.connection_lost(self._now))
        self._send()
        if self._open or not self._ended:
            raise BrokenPromiseError(f"after the end: {len(self._open)} submits open, ended {self._ended}")

    # --- steps --------------------------------------------------------------------------------------------------------

    def _submit(self) -> None:
        if not self._talk.ready or self._talk.in_flight >= self._config.window:
            return
        number = self._number()
        message = Outgoing.model_validate(
            {"id": number, "text": self._random.choice(_TEXTS), "to": "+250788123123", "from": "8080",
             "channel": _CHANNEL}
        )  # fmt: skip
        try:
            plan = self._dialect.plan(message, self._config, self._random.randrange(0x10000))
        except CannotEncode:
            return
        for segment in plan.segments:
            if not self._talk.ready or self._talk.in_flight >= self._config.window:
                break
            context = self._number()
            self._open.add(context)
            self._talk.submit(segment, context, self._now)
        self._send()

    def _answer(self) -> None:
        """The SMSC answers what it should, in any order, mostly well."""
        if not self._said:
            return
        frame = self._said.pop(self._random.randrange(len(self._said)))
        answer = self._target.answer(frame)
        if answer is not None:
            self._hear(self._mutator.changed(answer, _MENDED) if self._random.random() < 0.3 else answer)

    def _disturb(self) -> None:
        self._hear(self._mutator.frame(_MENDED))

    def _settle(self) -> None:
        while self._tokens:
            token = self._tokens.pop()
            if self._random.random() < 0.8:
                self._talk.acknowledge(token, self._now)
            else:
                self._talk.decline(token, self._now)
        self._send()

    def _catch_up(self) -> None:
        self._noted(self._talk.catch_up(self._now))
        self._send()

    def _wait(self) -> None:
        due = self._talk.next_deadline()
        if due is not None and self._random.random() < 0.5:
            self._now = max(self._now, due)
        else:
            self._now += self._random.choice((0.0, 0.1, 5.0))
        self._noted(self._talk.tick(self._now))
        self._send()

    # --- octets and happenings ----------------------------------------------------------------------------------------

    def _hear(self, data: bytes) -> None:
        for piece in self._mutator.pieces(data):
            self._noted(self._talk.receive_data(piece, self._now))
            self._send()
        if self._random.random() < 0.7:
            self._catch_up()

    def _send(self) -> None:
        self._reader.feed(self._talk.data_to_send())
        while (frame := self._reader.next_frame()) is not None:
            self._target.check(frame)
            self._said.append(frame)

    def _noted(self, happenings: Sequence[Happening]) -> None:
        for one in happenings:
            repr(one)
            if self._ended:
                raise BrokenPromiseError(f"after the end: {one}")
            if isinstance(one, Arrived):
                for event in one.events:
                    event.model_dump_json()
                self._tokens.append(one.token)
            elif isinstance(one, Unanswered) or (isinstance(one, Accepted | Rejected) and not one.late):
                self._close(one.context)
            elif isinstance(one, Ended):
                self._ended = True
                for context in one.lost:
                    self._close(context)

    def _close(self, context: str) -> None:
        if context not in self._open:
            raise BrokenPromiseError("a submit that ended twice, or never began")
        self._open.remove(context)
