"""How a bind's connection is made: TCP to the first of the SMSC's addresses that answers, then TLS; or TLS on a call of
the SMSC. Where it is not made, the text says why, for people: `check_faults` knows what to ask by its words."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from smsc_relay.accounts import Account
from smsc_relay.config import Address
from smsc_relay.connection import Connection
from smsc_relay.protocol import Role

CALLED: Final = 5.0  # s that an SMSC's call may take for TLS, as for its first word: other calls wait meanwhile

# Words of the texts, each in those of one kind.
NOT_ACCEPTED: Final = "is not accepted"
NO_TLS: Final = "no TLS with"
NO_ANSWER: Final = "no answer from"
REFUSES: Final = "refuses the connection"
NO_WAY: Final = "no way to"
NOT_KNOWN: Final = "is not known"

_PLAIN: Final = ", does this port speak TLS?"
_HINTS: Final = {
    "wrong version number": _PLAIN,
    "record layer failure": _PLAIN,  # the same, to newer OpenSSLs
    "sslv3 alert handshake failure": ", does it want a certificate of ours?",
}
_ERRNO: Final = re.compile(r"\[Errno ([0-9]+)\]")

Making = Callable[[], AbstractContextManager[Connection]]


class Unconnected(Exception):  # noqa: N818 - says what happened
    """There is no connection; the text says why. `reached`: TCP was made."""

    def __init__(self, why: str, reached: bool) -> None:
        super().__init__(why)
        self.reached = reached


class Way:
    """To an SMSC, whose address that answered last time is tried first."""

    def __init__(self) -> None:
        self._first = 0

    async def connect(self, account: Account, role: Role, making: Making) -> Connection:
        """A connection to the first address that answers. `making`: each, which is dropped if it fails.

        Raises:
            Unconnected: to none.
        """
        addresses, first = account.config.addresses(role), self._first
        failures = list[Unconnected]()
        for nth in range(len(addresses)):
            at = (first + nth) % len(addresses)
            self._first = (at + 1) % len(addresses)  # unless this one answers
            try:
                with making() as made:
                    await _connect(account, addresses[at], made)
            except Unconnected as failure:
                failures.append(failure)
            else:
                self._first = at
                return made
        raise Unconnected("; ".join(map(str, failures)), any(one.reached for one in failures))


async def _connect(account: Account, address: Address, made: Connection) -> None:
    config, tls, reached = account.config, account.tls, False

    def connected() -> Connection:
        nonlocal reached
        reached = True  # by TCP: asyncio asks for the protocol then
        return made

    host, port = address
    try:
        async with asyncio.timeout(config.connect_timeout):
            await asyncio.get_running_loop().create_connection(
                connected,
                host,
                port,
                ssl=tls,
                ssl_handshake_timeout=config.connect_timeout if tls else None,
                server_hostname=(config.tls_server_name or host) if tls else None,
                local_addr=(config.local_host, 0) if config.local_host else None,
            )
    except (OSError, ValueError) as error:  # a ValueError is a name's that nobody can be asked for
        why = no_tls if reached and tls else no_tcp
        raise Unconnected(why(address, error, config.connect_timeout), reached) from None


async def take(account: Account, call: socket.socket, making: Making) -> Connection:
    """A connection over an SMSC's call.

    Raises:
        Unconnected: it has not come to TLS.
    """
    seconds = min(CALLED, account.config.connect_timeout)
    with making() as made:
        try:
            async with asyncio.timeout(seconds):
                loop = asyncio.get_running_loop()
                await loop.connect_accepted_socket(lambda: made, call, ssl=account.tls_called)
        except (OSError, ValueError) as error:
            raise Unconnected(_no_call(error, seconds), True) from None
    return made


# --- why not ----------------------------------------------------------------------------------------------------------


def no_tcp(address: Address, error: Exception, waited: float) -> str:
    """No connection."""
    to = _named(address)
    if isinstance(error, TimeoutError):
        return f"{NO_ANSWER} {to} in {waited:g} s"
    if isinstance(error, socket.gaierror):
        return f"the name {address[0]} {NOT_KNOWN}: {error.strerror}"
    if isinstance(error, OSError):
        error = _one_of(error)
        if isinstance(error, ConnectionRefusedError):
            return f"{to} {REFUSES}"
        if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
            return f"{NO_WAY} {to}: {_said(error)}"
    return f"no connection to {to}: {_said(error)}"


def no_tls(address: Address, error: Exception, waited: float) -> str:
    """No handshake. (A TimeoutError is an OSError.)"""
    to = _named(address)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {to} {NOT_ACCEPTED}: {_verdict(error)}"
    if isinstance(error, TimeoutError):
        return f"{NO_TLS} {to} in {waited:g} s"
    said = _said(error)
    return f"{NO_TLS} {to}: {said}{_HINTS.get(said, '')}"


def _no_call(error: Exception, waited: float) -> str:
    """No handshake, whoever has called."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"a call with a certificate that {NOT_ACCEPTED}: {_verdict(error)}"
    return f"a call without TLS: {f'none in {waited:g} s' if isinstance(error, TimeoutError) else _said(error)}"


def _verdict(error: ssl.SSLCertVerificationError) -> str:
    return error.verify_message.rstrip(".")


def _said(error: Exception) -> str:
    if isinstance(error, ConnectionError):
        return "it has hung up"
    if isinstance(error, ssl.SSLError):
        return (error.reason or type(error).__name__).lower().replace("_", " ")
    if isinstance(error, OSError) and (error.errno or 0) > 0:
        return os.strerror(error.errno or 0)  # asyncio writes the address into its own
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _one_of(error: OSError) -> OSError:
    """asyncio makes one text of what the addresses of a name have said, without a number: the first one's."""
    found = _ERRNO.search(str(error)) if error.errno is None else None
    return OSError(int(found[1]), "") if found else error


def _named(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
