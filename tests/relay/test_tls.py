"""TLS to an SMSC: the name that is asked for, whose certificates are accepted, and what the link says where not."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import pytest

from chalicelib import registry
from local.emulator import free_port
from smsc_relay import bind
from smsc_relay.accounts import kind_of
from smsc_relay.relay import Relay
from smsc_relay.retry import wait_after
from tests.relay.conftest import World, eventually, relaying
from tests.relay.test_every_protocol import ACCOUNT, PROTOCOLS, Protocol, simulator
from tests.support import CHANNEL

NAME = "smsc.example.org"
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@dataclass(frozen=True)
class Pem:
    """Files of a certificate, signed by itself, and its key."""

    certificate: Path
    key: Path

    @property
    def text(self) -> str:
        return self.certificate.read_text()


Issue = Callable[[str], Pem]


@pytest.fixture(scope="module")
def issue(tmp_path_factory: pytest.TempPathFactory) -> Issue:
    """Makes a certificate for a name: `DNS:...` or `IP:...`."""

    def make(name: str) -> Pem:
        folder = tmp_path_factory.mktemp("tls")
        made = Pem(folder / "cert.pem", folder / "key.pem")
        command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
        named = ["-addext", f"subjectAltName={name}", "-keyout", made.key, "-out", made.certificate]
        subprocess.run(["openssl", *command.split(), *map(str, named)], check=True, capture_output=True)
        return made

    return make


class Server:
    """TLS settings of an SMSC, and the names that it was asked for (None: by nobody's name)."""

    def __init__(self, own: Pem, clients: Pem | None = None) -> None:
        """`clients`: whose certificate is demanded."""
        self.asked: list[str | None] = []
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(own.certificate, own.key)
        self.context.sni_callback = lambda _, name, __: self.asked.append(name)
        if clients is not None:
            self.context.load_verify_locations(clients.certificate)
            self.context.verify_mode = ssl.CERT_REQUIRED


def refusing(listening: socket.socket, context: ssl.SSLContext) -> None:
    """Clients whose certificate is not accepted are told why: asyncio's server may hang up without a word."""
    with suppress(OSError):  # the end of the test
        while True:
            client, _ = listening.accept()
            with client:
                with suppress(ssl.SSLError):
                    context.wrap_socket(client.dup(), server_side=True)
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):  # what is closed unread takes the alert with it
                    pass


@contextmanager
def answering(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port where each connection is served so, one after the other, and closed."""

    def run(listening: socket.socket) -> None:
        with suppress(OSError):  # the end of the test
            while True:
                client, _ = listening.accept()
                with client, suppress(OSError):
                    serve(client)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=run, args=(listening,), daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def register(world: World, port: int, **config: Any) -> None:
    """The SMPP account `fast`, over TLS."""
    given = {"host": "127.0.0.1", "port": port, "system_id": ACCOUNT, "reconnect_min": 0.1, "tls": True, **config}
    hidden = {"password": "secret", **given.pop("secrets", {})}
    world.aws.aggregator("fast", "SMPP", config=given, secrets=hidden)
    world.aws.channel(CHANNEL, type="SMPP")
    registry.reset()


def reason(relay: Relay) -> str:
    """Why the one bind is not up, "" where it is."""
    link = relay.report()["links"].get("fast")
    return str(link["binds"][0]["reason"]) if link else ""


# --- the name ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("certified", "config", "asked"),
    [
        pytest.param("DNS:localhost", {"host": "localhost"}, "localhost", id="of the host"),
        pytest.param(f"DNS:{NAME}", {"tls_server_name": NAME}, NAME, id="of the config, where the host is an address"),
        pytest.param(f"DNS:{NAME}", {"host": "localhost", "tls_server_name": NAME}, NAME, id="of the config first"),
        pytest.param("IP:127.0.0.1", {}, None, id="an address is no name"),  # RFC 6066 section 3
    ],
)
async def test_the_smsc_is_asked_for_by_name(
    world: World, issue: Issue, certified: str, config: dict[str, Any], asked: str | None
) -> None:
    """As SMSCs behind a shared address need it; and the name is what the certificate must have."""
    pem = issue(certified)
    server = Server(pem)
    async with simulator(tls=server.context) as smsc:
        register(world, smsc.smpp_port, tls_ca=pem.text, **config)
        world.put(1)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
    assert server.asked == [asked]
    assert len(smsc.submits) == 1


@pytest.mark.parametrize("verified", [True, False], ids=["verified", "not verified"])
async def test_a_fallback_is_asked_for_by_its_own_name(world: World, issue: Issue, verified: bool) -> None:
    pem = issue("DNS:localhost")
    server = Server(pem)
    async with simulator(tls=server.context) as smsc:
        trust = {"tls_ca": pem.text} if verified else {"tls_verify": False}
        other = f"localhost:{smsc.smpp_port}"
        register(world, free_port(), fallback_hosts=[other], binds=2, **trust)
        async with relaying(kinds=kind_of):
            await smsc.wait_for(lambda it: len(it.sessions) == 2)
    assert server.asked == ["localhost", "localhost"], "by each bind"


async def test_a_certificate_for_another_name_is_not_accepted(world: World, issue: Issue) -> None:
    """No password is told to who shows it."""
    pem = issue("DNS:localhost")
    async with simulator(tls=Server(pem).context) as smsc:
        register(world, smsc.smpp_port, tls_ca=pem.text, tls_server_name=NAME)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: f"not valid for '{NAME}'" in reason(relay))
    assert not smsc.stats.get(ACCOUNT)


# --- our own certificate ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize("given", ["text", "files"])
async def test_a_certificate_of_ours_is_shown_to_who_demands_it(
    world: World, issue: Issue, version: ssl.TLSVersion, given: str
) -> None:
    theirs, ours = issue(f"DNS:{NAME}"), issue("DNS:relay.example.org")
    server = Server(theirs, clients=ours)
    server.context.maximum_version = version
    key = ours.key.read_text() if given == "text" else str(ours.key)
    certificate = ours.text if given == "text" else str(ours.certificate)
    async with simulator(tls=server.context) as smsc:
        register(world, smsc.smpp_port, tls_ca=theirs.text, tls_server_name=NAME, tls_cert=certificate,
                 secrets={"tls_key": key})  # fmt: skip
        world.put(1)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
    assert len(smsc.submits) == 1


@pytest.mark.parametrize(
    ("version", "shown", "said"),
    [
        pytest.param(TLS13, "none", "certificate required", id="none"),
        pytest.param(TLS13, "another's", "unknown ca", id="another's"),
        # The handshake fails with TLS 1.2, where 1.3 ends a connection that was made.
        pytest.param(TLS12, "none", "handshake failure, does it want a certificate of ours?", id="none, TLS 1.2"),
        pytest.param(TLS12, "another's", "unknown ca", id="another's, TLS 1.2"),
    ],
)
async def test_who_demands_a_certificate_and_does_not_get_it(
    world: World, issue: Issue, version: ssl.TLSVersion, shown: str, said: str
) -> None:
    """The link says why, as the SMSC does."""
    theirs, ours, another = issue(f"DNS:{NAME}"), issue("DNS:relay.example.org"), issue("DNS:relay.example.org")
    server = Server(theirs, clients=ours)
    server.context.maximum_version = version
    more: dict[str, Any] = {}
    if shown != "none":
        more = {"tls_cert": another.text, "secrets": {"tls_key": another.key.read_text()}}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=refusing, args=(listening, server.context), daemon=True).start()
        register(world, listening.getsockname()[1], tls_ca=theirs.text, tls_server_name=NAME, **more)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: said in reason(relay))


# --- certificates are renewed -----------------------------------------------------------------------------------------


async def test_a_renewed_certificate_is_shown_from_the_next_connection_on(
    world: World, issue: Issue, tmp_path: Path
) -> None:
    """Nobody changes the account, nor begins the task anew."""
    theirs, before, after = issue(f"DNS:{NAME}"), issue("DNS:relay.example.org"), issue("DNS:relay.example.org")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    server = Server(theirs, clients=before)
    server.context.load_verify_locations(after.certificate)
    shown = list[bytes | None]()

    def show(client: socket.socket) -> None:
        with server.context.wrap_socket(client, server_side=True) as secured:
            shown.append(secured.getpeercert(True))

    def renew(pem: Pem) -> None:
        shutil.copy(pem.certificate, certificate)
        shutil.copy(pem.key, key)

    renew(before)
    with answering(show) as port:
        register(world, port, tls_ca=theirs.text, tls_server_name=NAME, tls_cert=str(certificate),
                 secrets={"tls_key": str(key)}, reconnect_max=0.1)  # fmt: skip
        async with relaying(kinds=kind_of):
            await eventually(lambda: shown)
            assert set(shown) == {ssl.PEM_cert_to_DER_cert(before.text)}
            renew(after)
            await eventually(lambda: shown[-1] == ssl.PEM_cert_to_DER_cert(after.text))


async def test_a_renewed_authority_is_trusted_from_the_next_connection_on(
    world: World, issue: Issue, tmp_path: Path
) -> None:
    before, after, trusted = issue(f"DNS:{NAME}"), issue(f"DNS:{NAME}"), tmp_path / "ca.pem"
    shutil.copy(before.certificate, trusted)
    async with simulator(tls=Server(after).context) as smsc:
        register(world, smsc.smpp_port, tls_ca=str(trusted), tls_server_name=NAME)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: "is not accepted" in reason(relay))
            shutil.copy(after.certificate, trusted)
            await smsc.wait_for(lambda it: it.sessions)


# --- why there is no connection ---------------------------------------------------------------------------------------


def says(octets: bytes) -> Callable[[socket.socket], object]:
    """Whatever is heard."""

    def serve(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(octets)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass

    return serve


@pytest.mark.parametrize(
    ("serve", "said"),
    [
        pytest.param(says(bytes.fromhex("00000010800000000000000200000000")), ", does this port speak TLS?", id="SMPP"),
        pytest.param(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), ", does this port speak TLS?", id="HTTP"),
        pytest.param(lambda client: client.recv(4096), "it has hung up", id="hung up"),
        pytest.param(lambda client: client.recv(4096) and client.recv(1), "in 0.5 s", id="silence"),
        pytest.param(says(bytes.fromhex("15030100020246")), "tlsv1 alert protocol version", id="another version"),
    ],
)
async def test_what_is_no_tls_is_told_with_its_address(
    world: World, serve: Callable[[socket.socket], object], said: str
) -> None:
    with answering(serve) as port:
        register(world, port, tls_verify=False, connect_timeout=0.5)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: reason(relay))
            told = reason(relay)
    assert told.startswith(f"no connection: no TLS with 127.0.0.1:{port}")
    assert told.endswith(said)


async def test_what_each_address_has_said_is_told(world: World, issue: Issue) -> None:
    """The one with the wrong certificate is the one to mend."""
    pem, nobody = issue("DNS:localhost"), free_port()
    async with simulator(tls=Server(pem).context) as smsc:
        register(world, smsc.smpp_port, tls_server_name=NAME, fallback_hosts=[f"127.0.0.1:{nobody}"])
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: reason(relay))
            told = reason(relay)
    assert told == (
        f"no connection: the certificate of 127.0.0.1:{smsc.smpp_port} is not accepted: self-signed certificate; "
        f"127.0.0.1:{nobody} refuses the connection"
    )


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda one: one.name)
async def test_a_plain_connection_to_a_tls_port_is_told(world: World, protocol: Protocol) -> None:
    """Where the port answers with an alert; OpenSSL's hangs up."""
    with answering(says(bytes.fromhex("15030100020246"))) as port:
        async with simulator() as smsc:
            protocol.account(world, smsc, port=port)
            async with relaying(kinds=kind_of) as relay:
                await eventually(lambda: "is it tls: true that is missing?" in reason(relay))


@pytest.mark.parametrize(("there", "lasted"), [(True, True), (False, False)], ids=["no TLS", "nobody"])
async def test_an_smsc_without_tls_is_asked_less_and_less(
    world: World, monkeypatch: pytest.MonkeyPatch, there: bool, lasted: bool
) -> None:
    """Somebody is there, whose work each handshake is."""
    waits = list[float]()

    def wait(*given: Any) -> float:
        waits.append(given[4])
        return wait_after(*given)

    monkeypatch.setattr(bind, "wait_after", wait)
    with answering(says(b"?")) as port:
        register(world, port if there else free_port())
        async with relaying(kinds=kind_of):
            await eventually(lambda: len(waits) >= 2)
    assert {one == inf for one in waits} == {lasted}
