"""The way to the SMSC: TLS with names and certificates of both sides, and connections of which one side is gone."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from smsc_relay.accounts import kind_of
from tests.relay.conftest import World, eventually, relaying
from tests.relay.test_every_protocol import PROTOCOLS, Protocol, protocol, simulator  # noqa: F401 - a fixture
from tests.relay.test_links import certificate, state  # noqa: F401 - a fixture

# --- TLS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "localhost"], ids=["the host's", "as told"])
async def test_the_smsc_is_told_whom_we_want(
    world: World, protocol: Protocol, certificate: tuple[str, str], name: str  # noqa: F811 - fixtures
) -> None:  # fmt: skip
    """Server name indication (RFC 6066 section 3)."""
    asked: list[str] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    given = {"tls": True, "tls_ca": Path(certificate[0]).read_text(), "tls_server_name": name}
    async with simulator(tls=context) as smsc:
        protocol.account(world, smsc, **given, host="127.0.0.1" if name else "localhost")
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
    assert set(asked) == {"localhost"}


async def test_an_smsc_that_asks_for_our_certificate(
    world: World, protocol: Protocol, certificate: tuple[str, str]  # noqa: F811
) -> None:  # fmt: skip
    pem, key = (Path(path).read_text() for path in certificate)
    ours = {"tls_cert": pem, "tls_key": key}
    async with simulator(tls=demanding(certificate)) as smsc:
        protocol.account(world, smsc, tls=True, tls_ca=pem, tls_server_name="localhost", **ours)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])


async def test_without_one_the_link_says_what_is_missing(world: World, certificate: tuple[str, str]) -> None:  # noqa: F811
    """With TLS 1.3 the SMSC says so when the handshake is over for us."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=refusing, args=(listening, demanding(certificate)), daemon=True).start()
        config = {"host": "127.0.0.1", "port": listening.getsockname()[1], "system_id": "ilha", "reconnect_min": 0.1,
                  "tls": True, "tls_ca": Path(certificate[0]).read_text(), "tls_server_name": "localhost"}  # fmt: skip
        world.aws.aggregator("fast", "SMPP", config=config, secrets={"password": "secret"})
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: "certificate required" in json.dumps(relay.report()))


def demanding(certificate: tuple[str, str]) -> ssl.SSLContext:  # noqa: F811
    """Of a server that wants to see that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate[0])
    context.load_cert_chain(*certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def refusing(listening: socket.socket, context: ssl.SSLContext) -> None:
    """Clients without a certificate are told why: asyncio's server hangs up without a word."""
    with suppress(OSError):  # the end of the test
        while True:
            client, _ = listening.accept()
            with client:
                with suppress(ssl.SSLError):
                    context.wrap_socket(client.dup(), server_side=True)
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):  # what is closed unread takes the alert with it
                    pass


# --- half-open ------------------------------------------------------------------------------------------------------

# CIMD2 allows a user one connection, and counts a dead one until it is closed.
several = pytest.mark.parametrize("spoken", PROTOCOLS[:2], ids=[one.name for one in PROTOCOLS[:2]])


@several
async def test_a_connection_whose_smsc_is_gone_is_found_out(world: World, spoken: Protocol) -> None:
    """Nothing is read and nothing closed. What was submitted goes again; what the phone had sent comes again."""
    async with simulator() as smsc:
        spoken.account(world, smsc, keepalive=0.3, response_timeout=1, window=2)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            (dead,) = (one["session"] for one in smsc.sessions)
            smsc.disconnect("freeze", dead)
            world.put_many(6)
            await smsc.wait_for(lambda it: any(one["session"] != dead for one in it.sessions), 30)
            mo = smsc.inject(source="250788123123", to="8080", text="are you there?")
            smsc.disconnect("reset", dead)
            await smsc.wait_for(lambda _: mo.state == "acknowledged", 30)
            await world.lane_empty()
            await eventually(lambda: state(relay) == ["up"])
    told = Counter(segment.to for segment in smsc.submits)
    assert set(told) == {f"2507881{number:05d}" for number in range(1, 7)}
    assert sum(told.values()) <= 6 + 2, "no more than the window goes twice"
    assert [one[2] for one in world.outcomes()] == [True] * 6


@several
async def test_a_bind_that_is_dead_holds_up_no_other(world: World, spoken: Protocol) -> None:
    """All that the dead one has not taken goes over the other at once."""
    async with simulator() as smsc:
        spoken.account(world, smsc, binds=2, keepalive=30, response_timeout=60, window=2)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"] * 2)
            dead, alive = (one["session"] for one in smsc.sessions)
            smsc.disconnect("freeze", dead)
            world.put_many(20)
            await smsc.wait_for(lambda it: len(it.submits) >= 18, 30)
            assert {segment.session for segment in smsc.submits} == {alive}
            smsc.disconnect("reset", dead)
            await world.lane_empty()
    assert len({segment.to for segment in smsc.submits}) == 20
