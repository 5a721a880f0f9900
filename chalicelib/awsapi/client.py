"""Calls from threads: connections that are kept, and the SDKs' standard retries."""

from __future__ import annotations

import functools
import os
import select
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from chalicelib.awsapi import calls, wire
from chalicelib.awsapi.calls import Answer, Damaged, Service
from chalicelib.awsapi.sigv4 import Credentials

if TYPE_CHECKING:
    import ssl

_ATTEMPTS: Final = 3
_KEPT: Final = 16  # idle connections
_MOST: Final = 65_536  # octets of a read
_IDLE: Final = 20.0  # s; services and NAT gateways close what is idle for longer, and a frozen Lambda does not notice


class Client:
    """A service. Every other attribute is a method as botocore's client has it: `put_item(TableName=..., Item=...)`.

    Raises (each method):
        botocore.exceptions.ClientError: the service has not done it.
        botocore.exceptions.HTTPClientError: no connection, no answer in time, or one that is damaged, three times.
    """

    def __init__(
        self, service: Service, credentials: Callable[[], Credentials], *, connect_timeout: float, read_timeout: float
    ) -> None:
        self._service, self._credentials = service, credentials
        self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
        self._idle: list[tuple[float, socket.socket]] = []
        self.url = service.url

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        if operation.startswith("_"):
            raise AttributeError(operation)

        def call(**parameters: Any) -> dict[str, Any]:
            return self._call(operation, parameters)

        setattr(self, operation, call)
        return call

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop()[1].close()

    def _call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return calls.result(self._service, operation, self._post(operation, parameters))
            except (OSError, Damaged) as error:
                if attempt == _ATTEMPTS:
                    from botocore.exceptions import HTTPClientError

                    raise HTTPClientError(error=f"{operation} at {self._service.url}: {_told(error)}") from error
            except Exception as error:
                if attempt == _ATTEMPTS or not calls.try_again(error):
                    raise
            time.sleep(calls.backoff(attempt))
        raise AssertionError("unreachable")

    def _post(self, operation: str, parameters: dict[str, Any]) -> Answer:
        headers, body = calls.request(self._service, operation, parameters, self._credentials(), time.time())
        connection = self._connection()
        reader = wire.Reader()
        try:
            connection.sendall(wire.post(headers, body))
            whole = False
            while not whole:
                data = connection.recv(_MOST)
                whole = reader.feed(data) if data else reader.end()
        except BaseException:
            connection.close()
            raise
        if reader.kept and len(self._idle) < _KEPT:
            self._idle.append((time.time(), connection))
        else:
            connection.close()
        return reader.answer

    def _connection(self) -> socket.socket:
        """One that is idle and alive, or a new one. Lists append and pop atomically."""
        while self._idle:
            try:
                since, connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if time.time() - since < _IDLE and not _readable(connection):
                return connection
            connection.close()
        service = self._service
        port = service.port or (80 if service.scheme == "http" else 443)
        connection = socket.create_connection((service.host, port), timeout=self._connect_timeout)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if service.scheme == "https":
                connection = tls().wrap_socket(connection, server_hostname=service.host)
            connection.settimeout(self._read_timeout)
        except BaseException:
            connection.close()
            raise
        return connection


def _readable(connection: socket.socket) -> bool:
    """Whether the service has closed an idle connection, or said something unasked."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _told(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()


@functools.cache
def tls() -> ssl.SSLContext:
    """The system's authorities, botocore's where it has none, or those of AWS_CA_BUNDLE (a file, or a directory)."""
    import ssl

    bundle = os.environ.get("AWS_CA_BUNDLE")
    if bundle and os.path.isdir(bundle):
        return ssl.create_default_context(capath=bundle)
    system = ssl.get_default_verify_paths()
    if not bundle and not (system.cafile or system.capath):
        import botocore

        bundle = os.path.join(os.path.dirname(botocore.__file__), "cacert.pem")
    return ssl.create_default_context(cafile=bundle or None)
