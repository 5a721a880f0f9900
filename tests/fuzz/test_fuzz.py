"""Two seconds of octets that no SMSC should send, for each protocol; and that a fault would be found by them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz import cimd2, smpp, ucp
from fuzz.target import BrokenPromiseError, Reader, Target, one_round, run
from smsc_relay import dialects
from smsc_relay.protocol import Ended, Role, Surroundings

SECONDS = 2.0
every_target = pytest.mark.parametrize(
    "target",
    [pytest.param(target, id=target.code) for target in (smpp.TARGET, ucp.TARGET, cimd2.TARGET)],
)


@every_target
def test_nothing_breaks(target: Target) -> None:
    done, failed = run(target, SECONDS)
    assert failed is None, f"python -m fuzz.{target.code.lower()} --seed {failed} --rounds 1"
    assert done


@every_target
def test_a_fault_in_reading_is_found_and_found_again(target: Target) -> None:
    """A check that fails for one frame in many stands for a codec that cannot read it."""

    def check(frame: bytes) -> None:
        if len(frame) > 60 and frame.count(b"\xff"):
            raise BrokenPromiseError("planted")

    faulty = replace(target, check=check)
    _, failed = run(faulty, 0, rounds=100)
    assert failed is not None
    with pytest.raises(BrokenPromiseError, match="planted"):
        one_round(faulty, failed)


def rounds(target: Target) -> None:
    """A hundred."""
    for seed in range(100):
        one_round(target, seed)


class Forgetful:
    """A reader that gives nothing of what came in a second piece."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._fed = reader, 0

    def feed(self, data: bytes, /) -> None:
        self._fed += 1
        if self._fed == 1:
            self._reader.feed(data)

    def next_frame(self) -> bytes | None:
        return self._reader.next_frame()


@every_target
def test_a_fault_in_framing_is_found(target: Target) -> None:
    faulty = replace(target, reader=lambda: Forgetful(target.reader()))
    with pytest.raises(BrokenPromiseError, match="cut differently"):
        rounds(faulty)


@every_target
def test_a_submit_that_gets_lost_is_found(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation that says nothing of its open submits when the connection is lost."""
    config = dialects.config_of(target.code).read({"host": "smsc", **target.config})
    around = Surroundings("any", lambda: 0, lambda: "any")
    kind = type(dialects.load(target.code).conversation(config, Role.TRANSCEIVER, 0.0, around))
    lost = kind.connection_lost
    monkeypatch.setattr(
        kind,
        "connection_lost",
        lambda self, now: [replace(one, lost=()) if isinstance(one, Ended) else one for one in lost(self, now)],
    )
    with pytest.raises(BrokenPromiseError, match="submits open"):
        rounds(target)
