"""Many clients at once, of every bind type and protocol; and TLS."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack
from typing import Any

import pytest
import smpplib.client
import smpplib.exceptions

from smsc_relay.simulator import Simulator
from smsc_relay.smpp.pdus import BindReceiver, BindTransceiver, BindTransmitter, DeliverSm, DeliverSmResp, SubmitSmResp
from tests.simulator.clients import PATIENCE, PHONE, Raw, raw, submit
from tests.tools import openssl

ACCOUNTS, SUBMITS = 5, 4
BINDS = [BindTransceiver] * 4 + [BindTransmitter] * 3 + [BindReceiver] * 3  # of each account: 50 in all
KEEPALIVE = b"\x0200/00043/O/31/8080/0539/E3\x03"


# --- fifty sessions -------------------------------------------------------------------------------------------------


def flat(lists: list[list[bytes]]) -> list[bytes]:
    return [one for some in lists for one in some]


async def converse(esme: Raw, sends: bool, texts: set[bytes], heard: list[bytes]) -> None:
    """Submit, and hear what is for the account, until cancelled."""
    for text in texts if sends else ():
        esme.send(submit(text=text, registered_delivery=1))
    while True:
        got = await esme.read()
        if isinstance(got.pdu, DeliverSm):
            heard.append(got.pdu.short_message)
            esme.send(DeliverSmResp(), got.sequence)
        else:
            assert isinstance(got.pdu, SubmitSmResp)
            assert got.status == 0


async def test_fifty_sessions_of_several_accounts_and_all_bind_types() -> None:
    """Each account hears its own MOs and receipts, over all its sessions that hear, and nobody else's."""
    names = [f"island{number}" for number in range(ACCOUNTS)]
    script = {
        "accounts": {
            name: {"password": name, "max_binds": len(BINDS), "addresses": [f"80{name[-1]}*"]} for name in names
        },
        "behaviour": {"receipts": {"delay": 0, "style": "{text}"}, "mo": {"window": 1}},
    }
    sent = {
        name: [{f"{name} {bind} {n}".encode() for n in range(SUBMITS)} for bind in range(len(BINDS))] for name in names
    }
    heard: dict[str, list[list[bytes]]] = {name: [[] for _ in BINDS] for name in names}
    async with Simulator(script) as smsc, AsyncExitStack() as stack:
        esmes = {
            name: [await stack.enter_async_context(raw(smsc, kind(name, name))) for kind in BINDS] for name in names
        }
        assert len(smsc.sessions) == 50
        talks = [
            asyncio.create_task(converse(esme, kind is not BindReceiver, sent[name][n], heard[name][n]))
            for name in names
            for n, (kind, esme) in enumerate(zip(BINDS, esmes[name], strict=True))
        ]
        for name in names:
            for number in range(20):
                smsc.inject(source=PHONE, to=f"80{name[-1]}0", text=f"to {name} {number}")
        senders = [n for n, kind in enumerate(BINDS) if kind is not BindReceiver]
        told = {
            name: sorted(
                [*(text for n in senders for text in sent[name][n]), *(f"to {name} {n}".encode() for n in range(20))]
            )
            for name in names
        }
        async with asyncio.timeout(3 * PATIENCE):
            while any(len(flat(heard[name])) < len(told[name]) for name in names):
                assert not any(talk.done() for talk in talks)
                await asyncio.sleep(0.01)
        assert {name: sorted(flat(heard[name])) for name in names} == told
        for name in names:
            for kind, texts in zip(BINDS, heard[name], strict=True):
                assert bool(texts) is (kind is not BindTransmitter), "whoever can hear has heard"
        assert len(smsc.submits) == ACCOUNTS * len(senders) * SUBMITS
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


# --- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files: certificate and key of the SMSC and of a client, each signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    found: dict[str, str] = {}
    for name in ("localhost", "client"):
        key, certificate = str(folder / f"{name}.key"), str(folder / f"{name}.pem")
        make = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name}"
        openssl(*make.split(), "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate)
        found |= {f"{name} key": key, name: certificate}
    return found


def server_context(pem: dict[str, str], client_ca: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    context.load_cert_chain(pem["localhost"], pem["localhost key"])
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.parametrize(
    ("demanded", "shown", "bound"),
    [
        pytest.param(False, False, True, id="certificate of the SMSC"),
        pytest.param(True, True, True, id="and of the client"),
        pytest.param(True, False, False, id="the client has none"),
    ],
)
async def test_smpplib_over_tls(pem: dict[str, str], demanded: bool, shown: bool, bound: bool) -> None:
    context = ssl.create_default_context(cafile=pem["localhost"])
    context.check_hostname = False  # smpplib says no name
    if shown:
        context.load_cert_chain(pem["client"], pem["client key"])
    async with Simulator(tls=server_context(pem, pem["client"] if demanded else None)) as smsc:
        client = smpplib.client.Client("127.0.0.1", smsc.smpp_port, timeout=PATIENCE, ssl_context=context)

        def talk() -> Any:
            client.connect()
            client.bind_transceiver(system_id="ilha", password="secret")
            client.send_message(source_addr="8080", destination_addr=PHONE, short_message=b"over TLS")
            return client.read_pdu()

        if bound:
            assert (await asyncio.to_thread(talk)).status == 0
            assert [one.text for one in smsc.messages] == ["over TLS"]
        else:
            with pytest.raises((smpplib.exceptions.ConnectionError, smpplib.exceptions.UnknownCommandError, OSError)):
                await asyncio.to_thread(talk)
            assert not smsc.sessions
        if client._socket is not None:
            client._socket.close()
            client._socket = None


async def test_ucp_and_cimd2_over_tls(pem: dict[str, str]) -> None:
    context = ssl.create_default_context(cafile=pem["localhost"])
    script = {"behaviour": {"ucp": {"trusts": "ilha"}}}
    async with Simulator(script, tls=server_context(pem)) as smsc:
        for port, say, hear in (
            (smsc.cimd2_port, b"", b"CIMD2-A ConnectionInfo"),
            (smsc.ucp_port, KEEPALIVE, b"\x0200/"),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
            writer.write(say)
            async with asyncio.timeout(PATIENCE):
                assert await reader.readexactly(len(hear)) == hear
            writer.close()


async def test_no_tls_where_there_is_a_certificate(pem: dict[str, str]) -> None:
    async with Simulator(tls=server_context(pem)) as smsc:
        esme = await Raw.connect(smsc)
        esme.send(BindTransceiver("ilha", "secret"))
        assert await esme.ended()
        assert not smsc.sessions
        esme.close()
