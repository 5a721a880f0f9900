"""The supervisor over children that live, end, stand still and are stopped. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from local.emulator import ROOT

SILENCE = 1.0

# A child whose event loop beats: it says its number, then does what it is told.
BEATING = """
import asyncio, os, signal, sys, time
from smsc_relay import heartbeat

async def main():
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    status = 7
    def on_term():
        print("term", flush=True)
        ended.set()
    loop.add_signal_handler(signal.SIGTERM, on_term)
    beating = asyncio.create_task(heartbeat.beat(0.05, lambda: (print("alone", flush=True), ended.set())))
    await asyncio.sleep(0.1)
    print("up", os.getpid(), flush=True)
    {then}
    await ended.wait()
    return status

sys.exit(asyncio.run(main()))
"""
# A child that leaves a child of its child behind, and says its number.
LEAVING = """
import subprocess, sys
left = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'pass']).pid)"
print(subprocess.run([sys.executable, "-c", left], capture_output=True, text=True).stdout.strip(), flush=True)
sys.stdin.readline()
"""
SUPERVISOR = """
import sys
from smsc_relay.supervisor import Supervisor
sys.exit(Supervisor([sys.executable, "-c", sys.argv[1]], {silence}, {starting}).run())
"""


@contextmanager
def supervised(child: str, silence: float = SILENCE, starting: float = 60.0) -> Iterator[subprocess.Popen[str]]:
    code = SUPERVISOR.format(silence=silence, starting=starting)
    process = subprocess.Popen([sys.executable, "-c", code, child], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def line(process: subprocess.Popen[str]) -> str:
    output: IO[str] | None = process.stdout
    assert output is not None
    return output.readline().strip()


def pid_of(process: subprocess.Popen[str]) -> int:
    word, _, number = line(process).partition(" ")
    assert word == "up"
    return int(number)


@pytest.mark.parametrize(
    ("child", "status"),
    [
        pytest.param("raise SystemExit(0)", 0, id="well"),
        pytest.param("raise SystemExit(3)", 3, id="not well"),
        pytest.param("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137, id="killed"),
        pytest.param("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143, id="ended by a signal"),
    ],
)
def test_it_ends_as_its_child_does(child: str, status: int) -> None:
    with supervised(child) as process:
        assert process.wait(30) == status


def test_sigterm_is_passed_on_and_the_child_takes_the_time_it_needs() -> None:
    """Longer than the silence that it would be killed after, as long as it beats."""
    slow = f"await ended.wait(); await asyncio.sleep({SILENCE * 1.5}); status = 5"
    with supervised(BEATING.format(then=slow)) as process:
        pid_of(process)
        process.send_signal(signal.SIGTERM)
        assert line(process) == "term"
        assert process.wait(30) == 5


@pytest.mark.parametrize(
    "then",
    [
        pytest.param("time.sleep(600)", id="its event loop stands still"),
        pytest.param("os.kill(os.getpid(), signal.SIGSTOP)", id="it is stopped"),
        pytest.param("beating.cancel()", id="only the beats end"),
    ],
)
def test_a_child_without_a_sign_of_life_is_killed(then: str) -> None:
    with supervised(BEATING.format(then=then)) as process:
        pid = pid_of(process)
        assert '"relay_killed"' in line(process)
        assert process.wait(30) == 137
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_child_that_never_gives_one_is_killed_too() -> None:
    with supervised("import time; time.sleep(600)", silence=60, starting=0.5) as process:
        assert '"relay_killed"' in line(process)
        assert process.wait(30) == 137


def test_a_child_whose_supervisor_has_gone_ends() -> None:
    with supervised(BEATING.format(then="")) as process:
        pid_of(process)
        process.kill()
        process.wait()
        assert line(process) == "alone"


def test_children_that_end_beside_it_are_reaped() -> None:
    """As process 1 inherits them; here they are its child's, left behind."""
    # PR_SET_CHILD_SUBREAPER makes it inherit orphans as process 1 does.
    code = "import ctypes; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n" + SUPERVISOR.format(silence=60, starting=60)
    process = subprocess.Popen(
        [sys.executable, "-c", code, LEAVING], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        pid = int(line(process))
        deadline = time.monotonic() + 30
        while os.path.exists(f"/proc/{pid}"):
            assert time.monotonic() < deadline, "a zombie is left"
            time.sleep(0.02)
        process.communicate("\n", timeout=30)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def test_it_imports_neither_asyncio_nor_aws() -> None:
    code = "import sys, smsc_relay.supervisor; print(sorted({'asyncio', 'botocore'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
