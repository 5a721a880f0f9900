"""bench/peers: a client of others that cannot be measured says why; what is compared of those that can."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from bench import peers
from bench.figures import compared
from bench.relay import child
from checks import requirements

HERE = Path(sys.prefix)  # has smpp34, as .venv-peers has


@pytest.mark.parametrize("kind", peers.PEERS)
def test_what_is_not_installed_says_how_it_is(kind: str, tmp_path: Path) -> None:
    assert peers.run(kind, 1, 1, 1, home=tmp_path)["absent"].startswith("make peers")


@pytest.mark.parametrize("kind", ["smpp34", "smpplib", "aiosmpplib"])
def test_a_run_ends_with_its_figures(kind: str) -> None:
    with child("bench.sink", "smpp") as port:
        told = peers.run(kind, int(port), 3, 20, home=HERE)
    assert set(told) == {"rate", "cpu", "p50", "p99", "rss"}, told
    assert all(value > 0 for value in told.values())


@pytest.mark.parametrize("kind", ["smpp34", "smpplib"])
def test_one_that_gets_no_further_is_ended_and_tells_how_far_it_came(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told = peers.run(kind, silent.getsockname()[1], 3, 20, limit=0.5, home=HERE)
    assert told == {"stalled": "0 of 20 answered after 0.5 s"}


def test_one_that_fails_gives_its_last_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    told = peers.run("smpplib", port, 1, 1, home=HERE)
    assert told["failed"].startswith("exit status 1: ")
    assert "refused" in told["failed"].lower()


def test_throttled_submits_are_no_rate() -> None:
    with child("bench.sink", "smpp", "--throttle", "100") as port:
        assert peers.run("smpplib", int(port), 1, 5, home=HERE) == {"failed": "exit status 1: a submit was refused"}


def test_the_peers_are_those_that_the_tests_know() -> None:
    ours = requirements.pins(requirements.ROOT / "requirements-dev.txt")
    theirs = requirements.pins(requirements.ROOT / "bench" / "requirements-peers.txt")
    assert {name: theirs[name] for name in ("smpp34", "smpplib", "aiosmpplib")} == {
        name: ours[name] for name in ("smpp34", "smpplib", "aiosmpplib")
    }
    assert set(peers.PEERS) - {peers.NODE} <= set(theirs)


SESSION, FLOOR, SMPP34 = {"rate": 300.0, "p50": 3.0}, {"rate": 1000.0, "p50": 2.0}, {"rate": 100.0, "p50": 9.0}


@pytest.mark.parametrize(
    ("found", "window", "delay", "said"),
    [
        pytest.param({"floor": FLOOR}, 10, 0, [], id="nothing of ours"),
        pytest.param(
            {"session": SESSION, "floor": FLOOR, "smpp34": SMPP34}, 100, 0,
            ["30% of the floor's rate", "3.0 x smpp34's"], id="wide",
        ),
        pytest.param(
            {"session": SESSION, "floor": FLOOR}, 1, 0,
            ["30% of the floor's rate", "round trip 1.50 x the floor's"], id="narrow, no smpp34",
        ),
        pytest.param(
            {"session": SESSION}, 20, 50, ["75.0% of the window's 400/s"], id="delayed",
        ),
        pytest.param(
            {"session": SESSION, "floor": FLOOR}, 100, 50,
            ["30% of the floor's rate", "15.0% of the window's 2,000/s (floor 50.0%)"], id="delayed, with the floor",
        ),
    ],
)  # fmt: skip
def test_what_is_compared(found: dict[str, dict[str, float]], window: int, delay: float, said: list[str]) -> None:
    assert compared(found, window, delay) == said
