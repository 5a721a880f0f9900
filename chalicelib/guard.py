"""The connections under `transport.Http`: which addresses they may reach, when an idle one is too old, how far one got.

urllib3's connection classes are extended where they connect and send, so that the address that was checked is the
address that is connected to: a name that resolves differently the second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.poolmanager import PoolManager
from urllib3.util import connection as urllib3_connection

MAX_IDLE: Final = 50.0  # seconds: load balancers close at 60, and a frozen Lambda's connections are dead anyway
POOL_SIZE: Final = 16  # connections kept per host

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits


class PrivateAddress(OSError):  # noqa: N818 - named for what was found
    """The host is, or resolves only to, an address that channels may not reach."""


def is_public(address: Address) -> bool:
    """May a channel reach `address`? Not loopback, private, link-local, CGNAT, 0.0.0.0/8, multicast or reserved ones,
    nor an IPv6 address that stands for such an IPv4 one (IANA special-purpose address registries, RFC 6890)."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not (address.is_multicast or address.is_reserved)


@dataclass(eq=False)
class Attempt:
    """How far one request has got, told by the connection to whoever must judge its failure."""

    deadline: float  # time.monotonic() at which it is given up
    sent: bool = False  # something of the request has gone out
    expired: bool = False
    sock: socket.socket | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def remaining(self) -> float:
        """Seconds left, at least a millisecond: a socket takes 0 for "do not block"."""
        return max(self.deadline - time.monotonic(), 0.001)

    def expire(self) -> None:
        """Give up: a read that blocks returns at once. The socket stays its connection's to close."""
        with self.lock:
            self.expired = True
            if self.sock is not None:
                with contextlib.suppress(OSError):
                    # not SSLSocket's own, which would take the TLS state from under the thread that reads
                    socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def watch(self, sock: socket.socket | None) -> None:
        """Tell which socket the attempt is on now; None: on none any more."""
        with self.lock:
            self.sock = sock


_current: Final = threading.local()


def attempt() -> Attempt | None:
    """This thread's attempt, if one is under way."""
    found: Attempt | None = getattr(_current, "attempt", None)
    return found


@contextlib.contextmanager
def attempting(timeout: float) -> Iterator[Attempt]:
    """Connections that this thread uses inside report to the attempt, and are given up after `timeout` seconds."""
    started = Attempt(time.monotonic() + timeout)
    _current.attempt = started
    _watch.add(started)
    try:
        yield started
    finally:
        _watch.remove(started)
        started.watch(None)
        _current.attempt = None


class _Watch:
    """Expires attempts at their deadlines: one thread for all of them, which sleeps until the first there was."""

    def __init__(self) -> None:
        self._attempts: set[Attempt] = set()
        self._changed = threading.Condition()
        self._wakes_at = 0.0
        self._thread: threading.Thread | None = None

    def add(self, started: Attempt) -> None:
        with self._changed:
            self._attempts.add(started)
            if self._thread is None or not self._thread.is_alive():
                self._wakes_at = started.deadline
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            elif started.deadline < self._wakes_at:
                self._changed.notify()

    def remove(self, ended: Attempt) -> None:
        with self._changed:
            self._attempts.discard(ended)

    def _run(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                over = [one for one in self._attempts if one.deadline <= now]
                self._attempts.difference_update(over)
                # With nothing to watch it looks again in a minute: most attempts end long before their deadline, and
                # waking for each of them would cost more than they do.
                self._wakes_at = min((one.deadline for one in self._attempts), default=now + 60)
                if not over:
                    self._changed.wait(self._wakes_at - now)
            for one in over:
                one.expire()


_watch: Final = _Watch()


class _Guarded(HTTPConnection):
    """Adds to urllib3's connection: checked addresses, an age limit, and news for the `Attempt`."""

    allow_private = False
    _used: tuple[float, float] | None = None

    def _new_conn(self) -> socket.socket:
        sock = self._connect_checked()
        tries = attempt()
        if tries is not None:
            tries.watch(sock)
        return sock

    def _connect_checked(self) -> socket.socket:
        host = self._dns_host.strip("[]")
        try:
            found = socket.getaddrinfo(host, self.port, urllib3_connection.allowed_gai_family(), socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            gai = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(self.host, self, gai) from error
        addresses = [item[4][0] for item in found if isinstance(item[4][0], str)]
        allowed = [text for text in dict.fromkeys(addresses) if self.allow_private or is_public(_address(text))]
        if not allowed:
            raise PrivateAddress(f"{host} is at an address that channels may not reach")
        tries = attempt()
        failure: OSError = OSError("no address")
        for text in allowed:
            timeout = self.timeout
            if tries is not None and isinstance(timeout, int | float):
                timeout = min(timeout, tries.remaining())
            try:
                return urllib3_connection.create_connection(
                    (text, self.port or self.default_port), timeout, self.source_address, self.socket_options
                )
            except OSError as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, f"connecting to {host} took too long") from failure
        raise NewConnectionError(self, f"no connection to {host}: {failure}") from failure

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # its failures are before anything was sent
        tries = attempt()
        if tries is not None:
            tries.watch(self.sock)
            tries.sent = True
        self._touch()
        super().send(data)

    def getresponse(self) -> Any:
        try:
            return super().getresponse()
        finally:
            self._touch()

    def _touch(self) -> None:
        self._used = (time.monotonic(), time.time())

    @property
    def is_connected(self) -> bool:
        """False also once idle for too long, by either clock: one of them stands still while a Lambda is frozen."""
        if self._used is not None:
            monotonic, wall = self._used
            if max(time.monotonic() - monotonic, time.time() - wall) > MAX_IDLE:
                return False
        return super().is_connected


def _address(text: str) -> Address:
    return ipaddress.ip_address(text.partition("%")[0])  # "%eth0" is a zone (RFC 4007)


class _GuardedTls(_Guarded, HTTPSConnection):
    """The same over TLS."""


class _Open(_Guarded):
    allow_private = True


class _OpenTls(_GuardedTls):
    allow_private = True


def _pools(plain: type[HTTPConnection], tls: type[HTTPSConnection]) -> dict[str, type[HTTPConnectionPool]]:
    http = type("_Pool", (HTTPConnectionPool,), {"ConnectionCls": plain})
    https = type("_TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls})
    return {"http": http, "https": https}


class _Adapter(HTTPAdapter):
    """requests' adapter over guarded connections."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        super().__init__(pool_connections=32, pool_maxsize=POOL_SIZE, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **kwargs)
        self.poolmanager.pool_classes_by_scheme = (
            _pools(_Open, _OpenTls) if self._allow_private else _pools(_Guarded, _GuardedTls)
        )


def new_session(*, allow_private: bool) -> requests.Session:
    """A session whose connections are guarded; it keeps no cookies and reads neither proxies nor .netrc."""
    from http.cookiejar import DefaultCookiePolicy

    session = requests.Session()
    session.trust_env = False  # a proxy would connect for us, past the guard; .netrc would add credentials
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # accounts must not share what hosts set
    adapter = _Adapter(allow_private)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
