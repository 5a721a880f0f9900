"""`python -m smsc_relay.simulator`, as a process."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import smpplib.client
import smpplib.exceptions

from tests.peers.tee import Tee
from tests.tools import openssl

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "smsc_relay.simulator", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ports(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The SMPP port, and the URL of the control port: what it prints until it is ready."""
    assert process.stdout is not None
    told = {}
    while " on " in (line := process.stdout.readline().rstrip()):
        what, _, where = line.partition(" on ")
        told[what] = where
    assert line == "ready"
    assert all(re.fullmatch(r"(?:http://)?127\.0\.0\.1:\d+", where) for where in told.values())
    return int(told["SMPP"].rpartition(":")[2]), told["control"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_starts_serves_and_stops(tmp_path: Path, number: signal.Signals) -> None:
    free = [part for name in ("smpp", "ucp", "cimd2", "control") for part in (f"--{name}-port", "0")]
    with command(*free, "--account", "ilha:secret") as process:
        port, url = ports(process)

        def talk(esme: smpplib.client.Client) -> None:
            esme.connect()
            esme.bind_transceiver(system_id="ilha", password="secret")
            with urllib.request.urlopen(f"{url}/sessions", timeout=10) as answer:
                assert b'"account": "ilha"' in answer.read()
            process.send_signal(number)
            asked = esme.read_pdu()
            assert asked.command == "unbind"
            with pytest.raises(smpplib.exceptions.ConnectionError):  # after a second without an answer
                esme.read_pdu()
            assert process.wait(20) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
            esme.disconnect()

        async with Tee(port) as tee:
            esme = smpplib.client.Client("127.0.0.1", tee.port, timeout=10, allow_unknown_opt_params=True)
            await asyncio.to_thread(talk, esme)
    assert tee.dissected(tmp_path / "pcap", "smpp", "smpp.command_id") == ["0x00000009", "0x80000009", "0x00000006"]


def test_tls_by_its_options(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=smsc"
    openssl(*make.split(), "-keyout", key, "-out", certificate)
    free = [part for name in ("smpp", "ucp", "cimd2", "control") for part in (f"--{name}-port", "0")]
    with command(*free, "--certificate", str(certificate), "--key", str(key)) as process:
        port, _ = ports(process)
        context = ssl.create_default_context(cafile=certificate)
        context.check_hostname = False
        with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain) as tls:
            assert tls.getpeercert()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(["--key", "key.pem"], "--key and --client-ca need --certificate", id="a key alone"),
        pytest.param(["--certificate", "no/such.pem"], "No such file", id="no such file"),
    ],
)
def test_tls_that_cannot_be(options: list[str], told: str) -> None:
    with command("--control-port", "0", *options) as process:
        assert process.wait(20) == 1
        assert process.stderr is not None
        assert told in process.stderr.read()


def test_a_bad_script_is_one_line() -> None:
    with command("--script", "no/such.yaml") as process:
        assert process.wait(20) == 1
        assert process.stderr is not None
        assert process.stderr.read() == "simulator: no/such.yaml: cannot be read: No such file or directory\n"


def test_a_port_that_is_taken() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        command("--smpp-port", str(taken.getsockname()[1]), "--control-port", "0") as process,
    ):
        assert process.wait(20) == 1
        assert process.stderr is not None
        assert "address already in use" in process.stderr.read()
