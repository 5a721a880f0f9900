"""Two seconds of octets that no SMSC should send, for each protocol; and that a fault would be found by them."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from fuzz import cimd2, smpp, ucp
from fuzz.target import BrokenPromiseError, Reader, Target, main, one_round, run
from local.emulator import ROOT
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


def test_the_commands_that_are_documented_run() -> None:
    documented = re.findall(r"python -m (fuzz\.\w+)", (ROOT / "CONTRIBUTING.md").read_text())
    assert sorted(documented) == ["fuzz.cimd2", "fuzz.smpp", "fuzz.ucp"]
    for module in documented:
        command = [sys.executable, "-m", module, "--seed", "4711", "--rounds", "3"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, f"{module[5:].upper()}: 3 rounds, nothing broken\n"), done.stderr


def test_a_command_that_breaks_something_says_how_to_have_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(frame: bytes) -> None:
        raise BrokenPromiseError("planted")

    monkeypatch.setattr(sys, "argv", ["smpp", "--seed", "4711", "--rounds", "9"])
    assert main(replace(smpp.TARGET, check=check)) == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == "broken by: python -m fuzz.smpp --seed 4711 --rounds 1"
    assert "planted" in told.err


def rounds(target: Target) -> None:
    """A hundred."""
    for seed in range(100):
        one_round(target, seed)


CUT = "0000004c800000020000020000020000" + "020000020000" * 9 + "000e10000001"


def test_what_is_left_of_a_response_may_be_read_otherwise() -> None:
    """Found by seed 700187: the last TLV ends after the PDU; without it system_id is the first TLV's first octet."""
    smpp.TARGET.check(bytes.fromhex(CUT))


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
