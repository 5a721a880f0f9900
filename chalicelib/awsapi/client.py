"""Calls from threads: connections that are kept, and the SDKs' standard retries."""

from __future__ import annotations

import functools
import http.client
import os
import secrets
import select
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

from chalicelib.awsapi import calls
from chalicelib.awsapi.calls import Answer, Damaged, Service
from chalicelib.awsapi.sigv4 import Credentials

_ATTEMPTS: Final = 3
_BACKOFF: Final = 0.1  # s, doubled with each attempt, of which a random part is waited
_KEPT: Final = 16  # idle connections
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
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
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
            except (OSError, http.client.HTTPException, Damaged) as error:
                if attempt == _ATTEMPTS:
                    from botocore.exceptions import HTTPClientError

                    raise HTTPClientError(error=f"{operation} at {self._service.url}: {_told(error)}") from error
            except Exception as error:
                if attempt == _ATTEMPTS or not calls.try_again(error):
                    raise
            time.sleep(secrets.randbelow(1000) / 1000 * _BACKOFF * 2**attempt)
        raise AssertionError("unreachable")

    def _post(self, operation: str, parameters: dict[str, Any]) -> Answer:
        headers, body = calls.request(self._service, operation, parameters, self._credentials(), time.time())
        connection = self._connection()
        try:
            connection.request("POST", "/", body, headers)
            response = connection.getresponse()
            found = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        except BaseException:
            connection.close()
            raise
        if response.will_close or len(self._idle) >= _KEPT:
            connection.close()
        else:
            self._idle.append((time.time(), connection))
        return found

    def _connection(self) -> http.client.HTTPConnection:
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
        if service.scheme == "http":
            connection = http.client.HTTPConnection(service.host, service.port or 80, timeout=self._connect_timeout)
        else:
            connection = http.client.HTTPSConnection(
                service.host, service.port or 443, timeout=self._connect_timeout, context=_tls()
            )
        connection.connect()
        connection.sock.settimeout(self._read_timeout)
        return connection


def _readable(connection: http.client.HTTPConnection) -> bool:
    """Whether the service has closed an idle connection, or said something unasked."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _told(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()


@functools.cache
def _tls() -> ssl.SSLContext:
    """The system's authorities, or those of AWS_CA_BUNDLE (a file, or a directory of them)."""
    bundle = os.environ.get("AWS_CA_BUNDLE")
    if bundle and os.path.isdir(bundle):
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle or None)
