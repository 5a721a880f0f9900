"""What an SMSC account's config says of the connection, the same keys for SMPP, UCP/EMI and CIMD2."""

from __future__ import annotations

import os
import re
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, field_validator, model_validator

from chalicelib.channels.config import ConfigError, Flag, Secret, Settings
from smsc_relay.protocol import Role

# A name, an IPv4 address, or an IPv6 address, in brackets where a port follows.
_HOST: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s\0:/@\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_BARE_V6: Final = re.compile(r"[0-9A-Fa-f]*(?::[0-9A-Fa-f.]*){2,}")

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Address = tuple[str, int]  # host, port


def parse_host(text: str, port: int) -> Address:
    """`host`, `host:port`, `[IPv6]:port` or IPv6 as host and port; `port` where none is written.

    Raises:
        ValueError: none of these.
    """
    if _BARE_V6.fullmatch(text):
        return text, port
    match = _HOST.fullmatch(text)
    if match is None or not 1 <= int(match["port"] or port) <= 65535:
        raise ValueError("must be a host name or IP address, with :port where the port differs, and nothing else")
    try:
        (match["name"] or "").encode("idna")  # as it is asked for
    except UnicodeError:
        raise ValueError("must be a host name: what stands between its dots has 1 to 63 characters") from None
    return match["v6"] or match["name"], int(match["port"] or port)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the SMSC calls us, instead of we it, and from where it does."""

    port: int
    networks: tuple[IPv4Network | IPv6Network, ...]


class LinkConfig(Settings):
    """Keys of every SMSC type; times in seconds."""

    # A type's own keys that are the account's, one for all its channels.
    CONNECTION_KEYS: ClassVar[frozenset[str]] = frozenset()
    # Keys of the account that its connections do not know: they are obeyed from one moment to the next.
    LIVE_KEYS: ClassVar[frozenset[str]] = frozenset((
        "alphanumeric_mo", "in_doubt", "in_doubt_wait", "max_age", "max_tps", "reconnect_max", "reconnect_min",
        "refused_delay", "restart_after", "restart_step",
    ))  # fmt: skip
    # A type's keys for what is sent that also say how to read what comes.
    HEARD_KEYS: ClassVar[frozenset[str]] = frozenset()

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Keys that may be as they are and yet are worth a look, and why; no values, some are secret."""
        yield from ()

    host: str = Field(description="host name or IP address of the SMSC")
    port: Port = Field(description="its TCP port")
    fallback_hosts: tuple[str, ...] = Field(
        (), description="hosts to try in turn when the one before cannot be reached, each `host` or `host:port`"
    )
    local_host: str = Field("", description="our own IP address to connect from; empty: the system's choice")

    tls: Flag = Field(False, description="speak TLS")
    tls_verify: Flag = Field(True, description="check the SMSC's certificate; false only where a VPN proves who it is")
    tls_server_name: str = Field("", description="name in the SMSC's certificate; empty: the host's")
    tls_ca: str = Field("", description="certificates to trust, as PEM text or the path of a file; empty: the system's")
    tls_cert: str = Field("", description="our own certificate, as PEM text or the path of a file")
    tls_key: Secret | None = Field(None, description="its private key, unencrypted, as PEM text or the path of a file")

    binds: int = Field(1, ge=1, le=100, description="connections at a time")
    window: int = Field(10, ge=1, le=10_000, description="submits without an answer, per bind")
    max_tps: float | None = Field(None, gt=0, description="segments a second, over all binds; unset: unlimited")

    connect_timeout: Seconds = Field(10, description="seconds for a connection to be made")
    login_timeout: Seconds = Field(30, description="seconds for a login to be answered")
    response_timeout: Seconds = Field(60, description="seconds for a submit to be answered; then it is in doubt")
    in_doubt_wait: float = Field(
        10, ge=0, le=3600, description="seconds with a bind for which a message in doubt waits for a receipt that "
        "proves it accepted; then in_doubt decides. 0: at once"
    )  # fmt: skip
    keepalive: float = Field(30, ge=0, description="seconds of silence after which the SMSC is asked whether it lives; "
                             "0: never")  # fmt: skip
    keepalive_fixed: Flag = Field(False, description="ask that often, silence or not")
    keepalive_misses: int = Field(1, ge=1, le=20, description="questions without an answer until the link is given up")
    inactivity: Seconds | None = Field(
        None, description="seconds without any traffic but keepalives, after which we log out; unset: never"
    )
    logout_timeout: Seconds = Field(10, description="seconds for a logout to be answered")
    reconnect_min: Seconds = Field(1, description="seconds until the first new attempt after a lost connection")
    reconnect_max: Seconds = Field(60, description="longest wait between two attempts; waits grow, with jitter")
    restart_after: Seconds = Field(
        30,
        description="seconds without any bind that make an outage: after it the rate starts at a quarter of max_tps "
        "(unset: of what was taken before)",
    )
    restart_step: float = Field(
        10, ge=0, le=3600, description="seconds until that rate is doubled, and again until it is full; 0: full at once"
    )
    refused_delay: Seconds = Field(60, description="seconds until the next attempt after our login has been refused")

    country: str = Field(
        "", pattern="^([A-Z]{2})?$", description="ISO 3166 code: where numbers in national form belong"
    )

    @field_validator("host", "local_host", "tls_server_name")
    @classmethod
    def _host_alone(cls, value: str) -> str:
        if value and parse_host(value, 1) != (value.strip("[]"), 1):
            raise ValueError("must be a host name or IP address alone; the port has a key of its own")
        return value.strip("[]")

    @field_validator("fallback_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            parse_host(one, 1)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.host:
            raise ValueError("host must not be empty")
        if self.reconnect_max < self.reconnect_min:
            raise ValueError("reconnect_max must not be below reconnect_min")
        if not self.tls and (self.tls_ca or self.tls_cert or self.tls_key or self.tls_server_name):
            raise ValueError("tls must be true where other tls keys are set")
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key need each other")
        return self

    @property
    def proof_wait(self) -> float:
        """`in_doubt_wait`, where receipts of what is accepted are asked for."""
        return self.in_doubt_wait if getattr(self, "receipts", "none") in ("all", "last") else 0.0

    @classmethod
    def of_account(cls) -> frozenset[str]:
        """Keys that a channel cannot have for itself: they are about the connections, which its account's channels
        share, and about what comes over them."""
        return frozenset(LinkConfig.model_fields) | cls.CONNECTION_KEYS

    @classmethod
    def of_connections(cls) -> frozenset[str]:
        """Keys that a connection is made with: where one changes, it is closed, and another is opened."""
        return (cls.of_account() - cls.LIVE_KEYS) | cls.HEARD_KEYS

    def addresses(self, role: Role) -> tuple[Address, ...]:
        """Where a connection of this role goes to, in the order to try."""
        return self._with_fallbacks(self.host, self.port)

    def listens(self, role: Role) -> Listening | None:
        """How the SMSC opens connections of this role; None: we do."""
        return None

    def _with_fallbacks(self, host: str, port: int) -> tuple[Address, ...]:
        return ((host, port), *(parse_host(one, port) for one in self.fallback_hosts))


# --- TLS ------------------------------------------------------------------------------------------------------------

_TEXT: Final = "-----BEGIN"  # in PEM text, and in no path
_CONTEXTS: Final = 256  # kept: those of the accounts, and a few of before certificates were renewed


def tls_context(config: LinkConfig) -> ssl.SSLContext | None:
    """The TLS settings of a link's connections; None: plain TCP. The same as before, while the config's TLS keys and
    what is in their files are the same.

    Raises:
        ConfigError: a certificate or key cannot be used.
    """
    return _context(config, ssl.Purpose.SERVER_AUTH, config.tls_verify) if config.tls else None


def listening_context(config: LinkConfig) -> ssl.SSLContext | None:
    """The same where the SMSC calls us: it is asked for a certificate if `tls_ca` says who signs them.

    Raises:
        ConfigError: a certificate or key cannot be used.
    """
    verified = config.tls_verify and bool(config.tls_ca)
    return _context(config, ssl.Purpose.CLIENT_AUTH, verified) if config.tls else None


def _context(config: LinkConfig, purpose: ssl.Purpose, verified: bool) -> ssl.SSLContext:
    with _or_unusable_ca():
        trusted = _digest(config.tls_ca) if config.tls_ca else _system()
    with _or_unusable_certificate():
        own = _digest(config.tls_cert) + _digest(str(config.tls_key or ""))
    key = str(config.tls_key or "")
    return _made(purpose, verified, config.tls_ca, config.tls_cert, key, trusted + own)


@lru_cache(_CONTEXTS)
def _made(purpose: ssl.Purpose, verified: bool, ca: str, cert: str, key: str, files: str) -> ssl.SSLContext:
    """It takes tens of milliseconds, and would for each account at each look at the registry. `files`: their state."""
    with _or_unusable_ca(), _as_file(ca) as path:
        context = ssl.create_default_context(purpose, cafile=path or None)
    if not verified:
        context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
    if cert and key:
        with _or_unusable_certificate(), _as_file(cert) as certificate, _as_file(key) as its_key:
            # An encrypted key must not make OpenSSL ask on the terminal.
            context.load_cert_chain(certificate, its_key, password="")
    return context


def _digest(pem: str) -> str:
    """Of a file; a text is its own."""
    return sha256(Path(pem).read_bytes()).hexdigest() if pem and _TEXT not in pem else "-"


def _system() -> str:
    """When the certificates that the system trusts were last changed."""
    paths = ssl.get_default_verify_paths()
    found = [path for path in (paths.cafile, paths.capath) if path and os.path.exists(path)]
    return "".join(f"{os.stat(path).st_mtime_ns} " for path in found)


@contextmanager
def _or_unusable_ca() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError):  # ssl.SSLError is an OSError; a NUL is a ValueError
        raise ConfigError("tls_ca: neither PEM text with certificates nor a file that holds it") from None


@contextmanager
def _or_unusable_certificate() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError):
        raise ConfigError(
            "tls_cert, tls_key: not a certificate and its unencrypted private key, as PEM text or files"
        ) from None


@contextmanager
def _as_file(pem: str) -> Iterator[str]:
    """The path of a file with this PEM text; OpenSSL reads keys from files only."""
    if _TEXT not in pem:
        yield pem
        return
    handle, path = tempfile.mkstemp()  # readable by us alone
    try:
        with os.fdopen(handle, "w") as file:
            file.write(pem)
        yield path
    finally:
        os.unlink(path)
