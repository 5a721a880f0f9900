"""The transport against real servers on sockets: what a failure means depends on how far the request had got."""

from __future__ import annotations

import gzip
import socket
import ssl
import subprocess
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from ipaddress import ip_address
from pathlib import Path

import pytest

from chalicelib import guard, transport
from chalicelib.outcomes import ChannelDown, InDoubt, NotAccepted, Permanent, Temporary, Throttled
from chalicelib.transport import MAX_RESPONSE, USER_AGENT, Http, Response
from local.emulator import free_port

Talk = Callable[[socket.socket, bytes], None]


def http(**options: object) -> Http:
    return Http(**{"allow_private": True, "timeout": 10.0, **options})  # type: ignore[arg-type]


def ok(body: bytes = b"ok", head: str = "", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


@dataclass
class Server:
    """A server on a socket that does with each connection exactly what the test says."""

    port: int
    asked: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def serve(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve on a free port; `talk` gets every request of every connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1])
    open_ones: list[socket.socket] = []

    def connection(sock: socket.socket) -> None:
        try:
            with sock if context is None else context.wrap_socket(sock, server_side=True) as wrapped:
                open_ones.append(wrapped)
                while request := read_request(wrapped):
                    server.asked.append(request)
                    talk(wrapped, request)
        except (OSError, ValueError):
            pass  # the client, or the test, has gone

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            threading.Thread(target=connection, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        listener.close()
        for sock in open_ones:
            sock.close()


def answering(*answers: bytes) -> Talk:
    """The answers in turn, the last one from then on."""
    left = list(answers)
    return lambda sock, _: sock.sendall(left.pop(0) if len(left) > 1 else left[0])


def hang(sock: socket.socket, _: bytes) -> None:
    """Say nothing until the client goes away."""
    sock.recv(1)


def reset(sock: socket.socket, _: bytes) -> None:
    """RST: close with unsent data forbidden to linger."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def close(sock: socket.socket, _: bytes) -> None:
    sock.shutdown(socket.SHUT_RDWR)


def half(sock: socket.socket, _: bytes) -> None:
    """A 200 whose body ends too early."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    sock.shutdown(socket.SHUT_RDWR)


def drip(sock: socket.socket, _: bytes) -> None:
    """A header that never ends, one octet before each read time-out."""
    while True:
        sock.sendall(b"H")
        sock.settimeout(0.05)
        try:
            if not sock.recv(1):
                return
        except TimeoutError:
            continue


def large(sock: socket.socket, _: bytes) -> None:
    sock.sendall(ok(b"x" * (MAX_RESPONSE + 1)))


def bomb(sock: socket.socket, _: bytes) -> None:
    """One MiB and one octet, as a kilobyte of gzip."""
    sock.sendall(ok(gzip.compress(b"x" * (MAX_RESPONSE + 1)), "Content-Encoding: gzip\r\n"))


def broken_refusal(sock: socket.socket, _: bytes) -> None:
    """A 400 whose explanation is cut short: the status has been told all the same."""
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\n{")
    sock.shutdown(socket.SHUT_RDWR)


def noise(sock: socket.socket, _: bytes) -> None:
    sock.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    sock.shutdown(socket.SHUT_RDWR)


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("talk", "outcome"),
    [
        pytest.param(hang, InDoubt, id="no-answer-in-time"),
        pytest.param(drip, InDoubt, id="headers-that-never-end"),
        pytest.param(reset, InDoubt, id="reset-after-the-request"),
        pytest.param(close, InDoubt, id="closed-after-the-request"),
        pytest.param(half, InDoubt, id="half-an-answer"),
        pytest.param(noise, InDoubt, id="not-http"),
        pytest.param(large, InDoubt, id="too-large"),
        pytest.param(bomb, InDoubt, id="too-large-once-decompressed"),
        pytest.param(broken_refusal, Permanent, id="half-a-refusal"),
    ],
)
def test_once_sent_a_lost_answer_is_in_doubt(talk: Talk, outcome: type[NotAccepted]) -> None:
    with serve(talk) as server:
        one = http(timeout=0.5)
        with pytest.raises(outcome):
            one.post(server.url, form={"a": "1"})
        assert len(server.asked) == 1
        assert len(one.exchanges) == 1


def test_a_lost_answer_to_a_harmless_request_is_only_trouble() -> None:
    with serve(close) as server, pytest.raises(Temporary):
        http().post(server.url, harmless=True)


@pytest.mark.parametrize(
    ("limit", "size"), [(MAX_RESPONSE, MAX_RESPONSE), (2 * MAX_RESPONSE, MAX_RESPONSE + 1), (5, 5)]
)
def test_an_answer_within_the_limit(limit: int, size: int) -> None:
    with serve(answering(ok(b"x" * size))) as server:
        assert http().get(server.url, harmless=True, limit=limit).body == b"x" * size


def test_what_is_over_the_limit_stays_so() -> None:
    with serve(answering(ok(b"x" * 6))) as server, pytest.raises(Permanent, match="over 5 octets"):
        http().get(server.url, harmless=True, limit=5)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://127.0.0.1:{port}/x", id="refused"),
        pytest.param("http://no-such-host.invalid/", id="no-such-host"),
        pytest.param("http://[::1/", id="bad-ipv6"),
        pytest.param("http://a..b/", id="empty-label"),
        pytest.param("http://" + "a" * 300 + "/", id="long-label"),
        pytest.param("ftp://127.0.0.1/", id="not-http"),
        pytest.param("http://127.0.0.1:99999/", id="no-such-port"),
    ],
)
def test_nothing_sent_is_temporary(url: str) -> None:
    one = http()
    with pytest.raises(Temporary) as caught:
        one.get(url.format(port=free_port()))
    assert type(caught.value) is Temporary
    assert one.exchanges[0]["status"] == 0
    assert one.exchanges[0]["error"]


def test_a_connection_that_is_not_taken_up_is_temporary() -> None:
    """The backlog is full, so that the handshake hangs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        with pytest.raises(Temporary, match="connection_failed"):
            http(connect_timeout=0.3).get(f"http://127.0.0.1:{port}/")
        for filler in fillers:
            filler.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's TLS with a certificate that nobody signed."""
    folder = tmp_path_factory.mktemp("tls")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-days", "2"]
    subprocess.run([*make, "-keyout", "key", "-out", "cert"], check=True, capture_output=True, cwd=folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    return context


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_an_unsigned_certificate_is_refused_unless_the_channel_takes_it(certificate: ssl.SSLContext) -> None:
    with serve(answering(ok()), certificate) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(Temporary, match="TLS"):
            http().get(url)
        assert server.asked == []
        assert http().get(url, verify=False).text == "ok"
        with pytest.raises(Temporary, match="TLS"):  # the unverified connection is not taken up again
            http().get(url)


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_a_lost_answer_over_tls_is_in_doubt_too(certificate: ssl.SSLContext) -> None:
    with serve(hang, certificate) as server, pytest.raises(InDoubt):
        http(timeout=0.5).get(server.url.replace("http:", "https:"), verify=False)


# --- what a status means --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(400, Permanent), (401, ChannelDown), (402, ChannelDown), (403, ChannelDown), (404, Permanent), (408, Permanent),
     (422, Permanent), (429, Throttled), (500, Temporary), (502, Temporary), (503, Temporary), (304, Permanent)],
)  # fmt: skip
def test_statuses(status: int, outcome: type[NotAccepted]) -> None:
    with serve(answering(ok(b"", status=f"{status} X"))) as server, pytest.raises(outcome) as caught:
        http().get(server.url)
    assert type(caught.value) is outcome
    assert caught.value.code == str(status)
    assert getattr(caught.value, "credentials", False) is (status == 401)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_accepted(status: int) -> None:
    with serve(answering(ok(b"", status=f"{status} X"))) as server:
        assert http().get(server.url).ok


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("", None, None),
        ("7", 7, 7),
        ("99999999", 3600, 3600),
        ("soon", None, None),
        ("-5", None, None),
        (formatdate(usegmt=True, timeval=0), 0, 0),
        (formatdate(usegmt=True, timeval=4e9), 3600, 3600),
    ],
)
def test_retry_after(value: str, least: float | None, most: float | None) -> None:
    head = f"Retry-After: {value}\r\n" if value else ""
    with serve(answering(ok(b"", head, "429 X"))) as server, pytest.raises(Throttled) as caught:
        http().get(server.url)
    assert caught.value.retry_after == least == most


def test_a_type_may_judge_for_itself() -> None:
    def only_teapots(response: Response) -> None:
        if response.status != 418:
            raise Permanent("no teapot", "7")

    with serve(answering(ok(b"short and stout", status="418 X"), ok())) as server:
        assert http().get(server.url, judge=only_teapots).text == "short and stout"
        with pytest.raises(Permanent, match="no teapot"):
            http().get(server.url, judge=only_teapots)


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [
        (b'{"a":[{"b":"x"}]}', ("a", 0, "b"), "x"),
        (b'{"a":[]}', ("a", 0, "b"), None),
        (b'{"a":{"b":null}}', ("a", "b"), None),
        (b'{"a":"text"}', ("a", "b"), None),
        (b"[1]", (0,), 1),
        (b"no json", ("a",), None),
        (b"[" * 100_000, (0,), None),
    ],
)
def test_pick(body: bytes, path: tuple[str | int, ...], expected: object) -> None:
    assert Response(200, "", body=body).pick(*path) == expected


@pytest.mark.parametrize(
    ("body", "expected"), [(b'{"i":"7"}', "7"), (b'{"i":7}', "7"), (b'{"i":true}', ""), (b'{"i":null}', "")]
)
def test_pick_id(body: bytes, expected: str) -> None:
    assert Response(200, "", body=body).pick_id("i") == expected


def test_unparseable_json_is_permanent() -> None:
    with pytest.raises(Permanent, match="response_unparseable"):
        Response(200, "", body=b"<html>").json()


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("text/plain; charset=iso-8859-1", b"Ol\xe1", "Olá"),
        ("text/plain; charset=nonsense", "Olá".encode(), "Olá"),
        ("", b"Ol\xe1", "Ol\ufffd"),
    ],
)
def test_text(kind: str, body: bytes, expected: str) -> None:
    assert Response(200, "", {"content-type": kind}, body).text == expected


# --- requests -------------------------------------------------------------------------------------------------------


def test_what_goes_over_the_wire() -> None:
    with serve(answering(ok())) as server:
        http().post(
            server.url + "/p?x=1",
            params={"t": "\u0434".encode("utf-16-be"), "s": "a b&"},
            form=[("k", "é+"), ("k", "2")],
            headers={"User-Agent": "Mozilla", "content-type": "application/x-own", "X-Name": "日本"},
            auth=("usér", "p:w"),
        )
        head, _, body = server.asked[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /p?x=1&t=%044&s=a+b%26 HTTP/1.1"
    assert body == b"k=%C3%A9%2B&k=2"
    assert f"User-Agent: {USER_AGENT}".encode() in lines
    assert b"Content-Type: application/x-own" in lines
    assert "X-Name: 日本".encode() in lines
    assert b"Authorization: Basic dXPDqXI6cDp3" in lines  # UTF-8, RFC 7617


def test_json_goes_out_as_utf8() -> None:
    with serve(answering(ok())) as server:
        http().post(server.url, json={"t": "é \ud800"})
    assert server.asked[0].endswith('{"t":"é ?"}'.encode())


def test_the_user_agent_is_this_version() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    assert "Jangada/" + ".".join(project["version"].split(".")[:2]) == USER_AGENT


def test_cookies_are_not_kept() -> None:
    with serve(answering(ok(head="Set-Cookie: a=1\r\n"))) as server:
        http().get(server.url)
        http().get(server.url)
    assert b"cookie" not in server.asked[1].lower()


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    with serve(answering(ok())) as server:
        assert http().get(server.url).ok


# --- redirects ------------------------------------------------------------------------------------------------------


def found(location: str, status: int = 302) -> bytes:
    return ok(b"", f"Location: {location}\r\n", f"{status} X")


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(301, b"GET", b""), (302, b"GET", b""), (303, b"GET", b""), (307, b"POST", b"a=1"), (308, b"POST", b"a=1")],
)
def test_redirects_of_a_post(status: int, method: bytes, body: bytes) -> None:
    with serve(answering(found("/there?x=1", status), ok())) as server:
        one = http()
        assert one.post(server.url, form={"a": "1"}, auth=("u", "p"), headers={"apikey": "k"}).ok
    second = server.asked[1]
    assert second.startswith(method + b" /there?x=1 ")
    assert second.endswith(b"\r\n\r\n" + body)
    assert b"Authorization" in second
    assert b"apikey" in second
    assert [exchange["status"] for exchange in one.exchanges] == [status, 200]


def test_credentials_do_not_follow_to_another_origin() -> None:
    with serve(answering(ok())) as other, serve(answering(found(other.url))) as server:
        http().get(server.url, auth=("u", "p"), headers={"apikey": "k", "Accept": "x/y"})
    assert b"Authorization" not in other.asked[0]
    assert b"apikey" not in other.asked[0]
    assert b"Accept: x/y" in other.asked[0]


def test_ten_redirects_and_no_more() -> None:
    with serve(answering(found("/again"))) as server, pytest.raises(Permanent, match="response_status"):
        http().get(server.url)
    assert len(server.asked) == 11


def test_a_redirect_is_not_read_beyond_the_limit() -> None:
    with serve(answering(ok(b"x" * (MAX_RESPONSE + 1), "Location: /there\r\n", "302 X"), ok())) as server:
        one = http()
        assert one.get(server.url).ok
    assert "over 1048576 octets" in one.exchanges[0]["error"]


@pytest.mark.parametrize("location", ["http://[::1", "http://h:port/"])
def test_a_redirect_to_nowhere_is_the_answer(location: str) -> None:
    with serve(answering(found(location))) as server, pytest.raises(Permanent, match="response_status"):
        http().get(server.url)


def test_a_redirect_that_cannot_be_followed_leaves_no_doubt() -> None:
    """The first host has answered, the second got nothing."""
    with serve(answering(found(f"http://127.0.0.1:{free_port()}/"))) as server, pytest.raises(Temporary):
        http().post(server.url)


# --- the guard ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("64:ff9b::808:808", True), ("::ffff:8.8.8.8", True),
        ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("0.1.2.3", False),
        ("224.0.0.1", False), ("255.255.255.255", False), ("240.0.0.1", False), ("192.0.2.1", False),
        ("::1", False), ("::", False), ("fe80::1", False), ("fd00:ec2::254", False), ("ff02::1", False),
        ("::ffff:127.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
    ],
)  # fmt: skip
def test_public_addresses(address: str, public: bool) -> None:
    assert guard.is_public(ip_address(address)) is public


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0.0.0.0", "[::1]"])
def test_private_addresses_are_not_connected_to(host: str) -> None:
    with serve(answering(ok())) as server, pytest.raises(Temporary, match="may not reach"):
        Http().get(f"http://{host}:{server.port}/")
    assert server.connections == 0


def test_a_redirect_cannot_lead_to_a_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first server counts as public, the second does not."""
    with serve(answering(ok())) as inner, serve(answering(found(f"http://127.0.0.2:{inner.port}/"))) as outer:
        monkeypatch.setattr(guard, "is_public", lambda address: str(address) == "127.0.0.1")
        with pytest.raises(Temporary, match="may not reach"):
            Http().get(outer.url)
        assert inner.connections == 0


def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose second look-up gives another address (DNS rebinding) gains nothing: there is no second look-up."""
    real, answers = socket.getaddrinfo, ["127.0.0.1", "127.0.0.2"]

    def rebinding(host: str, *args: object, **options: object) -> object:
        return real(answers.pop(0) if host == "rebind.example" else host, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(guard, "is_public", lambda address: str(address) == "127.0.0.1")
    with serve(answering(ok())) as server:
        assert Http().get(f"http://rebind.example:{server.port}/").ok
    assert answers == ["127.0.0.2"]


def test_an_open_connection_is_not_lent_to_a_guarded_sender() -> None:
    with serve(answering(ok())) as server:
        assert http().get(server.url).ok
        with pytest.raises(Temporary, match="may not reach"):
            Http().get(server.url)


# --- connections ----------------------------------------------------------------------------------------------------


def test_connections_are_used_again_and_thrown_away_when_idle_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(answering(ok())) as server:
        http().get(server.url)
        http().get(server.url)
        assert server.connections == 1
        monkeypatch.setattr(guard, "MAX_IDLE", -1.0)
        http().get(server.url)
        assert server.connections == 2
    transport.reset()


def test_either_clock_tells_an_idle_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a Lambda is frozen one of the clocks may stand still."""
    for clock in ("time", "monotonic"):
        with serve(answering(ok())) as server:
            http().get(server.url)
            real = getattr(guard.time, clock)
            with monkeypatch.context() as later:
                later.setattr(guard.time, clock, lambda real=real: real() + guard.MAX_IDLE + 1)
                http(timeout=1000.0).get(server.url)
            assert server.connections == 2


def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    gone = threading.Semaphore(0)

    def once(sock: socket.socket, _: bytes) -> None:
        sock.sendall(ok())
        sock.shutdown(socket.SHUT_RDWR)
        gone.release()

    with serve(once) as server:
        for _ in range(3):
            assert http().get(server.url).ok
            assert gone.acquire(timeout=10)
        assert server.connections == 3


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_exchanges_are_masked_and_cut() -> None:
    secret = "s&cr t"
    with serve(answering(ok(b'{"echo":"s\\u0026cr t"}' + b"y" * 60_000))) as server:
        one = http(secrets=[secret])
        one.post(server.url + "/" + "p" * 3000, params={"k": secret}, json={"k": secret}, auth=("u", secret))
    (kept,) = one.exchanges
    assert len(kept["url"]) == 2048
    assert kept["url"].endswith("...")
    assert len(kept["response"]) == 50_000
    assert kept["response"].startswith("HTTP/1.1 200\r\n")
    assert kept["request"].startswith("POST /ppp")
    assert "Authorization: Basic **********\r\n" in kept["request"]
    assert '{"k":"**********"}' in kept["request"]
    assert '{"echo":"**********"}' in kept["response"]
    assert kept["method"] == "POST"
    assert kept["status"] == 200
    assert kept["error"] == ""
    everything = "".join(map(str, kept.values()))
    assert not [form for form in (secret, "s%26cr", "s\\u0026cr", "dTpzJmNyIHQ=") if form in everything]


def test_errors_name_no_secret() -> None:
    one = http(secrets=["pass word"])
    with pytest.raises(Temporary) as caught:
        one.get(f"http://127.0.0.1:{free_port()}/", params={"p": "pass word"})
    assert "pass" not in str(caught.value)
    assert "pass" not in one.exchanges[0]["error"]
    assert "**********" in one.exchanges[0]["url"]


@pytest.mark.parametrize(("body", "kept"), [(b"\xff\xfe", "..."), (b"a\0b", "a\ufffdb")])
def test_bodies_that_are_no_text(body: bytes, kept: str) -> None:
    with serve(answering(ok(body))) as server:
        one = http()
        one.get(server.url)
    assert one.exchanges[0]["response"].endswith("\r\n\r\n" + kept)


# --- tokens ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def fetched() -> Iterator[list[str]]:
    transport.reset()
    yield []
    transport.reset()


def fetcher(fetched: list[str], life: float = 3600.0) -> Callable[[], tuple[str, float]]:
    def fetch() -> tuple[str, float]:
        fetched.append(f"token-{len(fetched)}")
        return fetched[-1], life

    return fetch


def test_a_token_is_kept_and_masked(fetched: list[str]) -> None:
    one = http()
    assert one.token("a", fetcher(fetched)) == "token-0"
    assert http().token("a", fetcher(fetched)) == "token-0"
    assert one.token("b", fetcher(fetched)) == "token-1"
    assert one.redact("Bearer token-0, token-1") == "Bearer **********, **********"


def test_the_exchange_that_fetched_a_token_does_not_show_it(fetched: list[str]) -> None:
    with serve(answering(ok(b'{"access_token":"tok/1","expires_in":60}'))) as server:
        one = http()

        def fetch() -> tuple[str, float]:
            return str(one.post(server.url, harmless=True).pick("access_token")), 60.0

        assert one.token("a", fetch) == "tok/1"
    assert one.exchanges[0]["response"].endswith('{"access_token":"**********","expires_in":60}')


def test_a_token_past_its_end_is_fetched_again(fetched: list[str]) -> None:
    one = http()
    assert [one.token("a", fetcher(fetched, 0.0)) for _ in range(2)] == ["token-0", "token-1"]


def test_a_refused_token_is_replaced_once(fetched: list[str]) -> None:
    offered: list[str] = []

    def offer(token: str) -> str:
        offered.append(token)
        if len(offered) < 2:
            raise ChannelDown("no", "401", credentials=True)
        return "sent"

    assert http().with_token("a", fetcher(fetched), offer) == "sent"
    assert offered == ["token-0", "token-1"]


@pytest.mark.parametrize(("credentials", "tries"), [(True, 2), (False, 1)])
def test_other_refusals_stay(fetched: list[str], credentials: bool, tries: int) -> None:
    offered: list[str] = []

    def refuse(token: str) -> str:
        offered.append(token)
        raise ChannelDown("no", credentials=credentials)

    with pytest.raises(ChannelDown):
        http().with_token("a", fetcher(fetched), refuse)
    assert len(offered) == tries
