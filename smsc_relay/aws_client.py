"""AWS's JSON services for the event loop: `chalicelib.awsapi` over connections that are kept.

At the relay's rates a call is most of what a message costs. The same call through aiobotocore takes several times the
CPU.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, Self

from chalicelib.awsapi import calls, wire
from chalicelib.awsapi.calls import Answer, Damaged, Service
from chalicelib.awsapi.sigv4 import Credentials

AGENT: Final = "jangada-relay"  # what CloudTrail, and who makes AWS fail for tests, knows these calls by
_IDLE: Final = 20.0  # s; services close what is idle for longer
_KEYS: Final = (
    60.0  # s that credentials are used before they are asked for again: they are renewed long before their end
)


class AwsTimeout(TimeoutError):  # noqa: N818 - says what happened
    """No answer in time: the call may have been done."""


class _Connection(asyncio.Protocol):
    """One call at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._reader = wire.Reader()
        self._waiter: asyncio.Future[Answer] | None = None
        self.open = True
        self.since = 0.0  # idle since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport

    async def exchange(self, octets: bytes, timeout: float) -> Answer:
        """Send a request; its answer.

        Raises:
            OSError, Damaged: there is none; AwsTimeout: none in `timeout` s.
        """
        loop = asyncio.get_running_loop()
        self._reader = wire.Reader()
        self._waiter = loop.create_future()
        timer = loop.call_later(timeout, self._too_late)
        self._transport.write(octets)
        try:
            answer = await self._waiter
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
            self._waiter = None
        if not self._reader.kept:
            self.close()
        return answer

    def _too_late(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(AwsTimeout())

    def close(self) -> None:
        self.open = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            self.close()  # said unasked
            return
        try:
            if self._reader.feed(data):
                waiter.set_result(self._reader.answer)
        except Damaged as error:
            waiter.set_exception(error)

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        try:
            self._reader.end()
        except Damaged as damaged:
            waiter.set_exception(error or damaged)
        else:
            waiter.set_result(self._reader.answer)


class AwsClient:
    """A service, open within `async with`. Makes calls as botocore's client does: `await call("put_item", ...)`.

    Raises (`call`):
        botocore.exceptions.ClientError: the service has not done it.
        OSError, Damaged: no connection, no answer in time (AwsTimeout), or one that is damaged, at each attempt.
    """

    def __init__(
        self,
        service: Service,
        credentials: Callable[[], Credentials],
        *,
        connect_timeout: float,
        read_timeout: float,
        attempts: int,
    ) -> None:
        self._service, self._credentials = service, credentials
        self._connect_timeout, self._read_timeout, self._attempts = connect_timeout, read_timeout, attempts
        self._idle: list[_Connection] = []
        self._used: set[_Connection] = set()
        self._keys: tuple[float, Credentials] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for connection in (*self._idle, *self._used):
            connection.close()
        self._idle.clear()

    async def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """The answer of an operation."""
        for attempt in range(1, self._attempts + 1):
            try:
                return calls.result(self._service, operation, await self._post(operation, parameters))
            except Exception as error:
                if attempt == self._attempts or not calls.try_again(error):
                    raise
            await asyncio.sleep(calls.backoff(attempt))
        raise AssertionError("unreachable")

    async def _post(self, operation: str, parameters: dict[str, Any]) -> Answer:
        keys = await self._current_keys()
        octets = wire.post(*calls.request(self._service, operation, parameters, keys, time.time(), AGENT))
        connection = await self._connection()
        self._used.add(connection)
        try:
            answer = await connection.exchange(octets, self._read_timeout)
        except AwsTimeout:
            raise AwsTimeout(f"{operation} at {self._service.url}: no answer in {self._read_timeout} s") from None
        finally:
            self._used.discard(connection)
        if connection.open:
            connection.since = time.monotonic()
            self._idle.append(connection)
        return answer

    async def _current_keys(self) -> Credentials:
        now = time.monotonic()
        if self._keys is None or now - self._keys[0] > _KEYS:
            # Of a task's role: renewing them blocks.
            self._keys = now, await asyncio.get_running_loop().run_in_executor(None, self._credentials)
        return self._keys[1]

    async def _connection(self) -> _Connection:
        oldest = time.monotonic() - _IDLE
        while self._idle:
            connection = self._idle.pop()
            if connection.open and connection.since > oldest:
                return connection
            connection.close()
        service = self._service
        secure = service.scheme == "https"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(
                    _Connection, service.host, service.port or (443 if secure else 80), ssl=_tls() if secure else None
                )
        except TimeoutError:
            raise AwsTimeout(f"{service.url}: no connection in {self._connect_timeout} s") from None
        return connection


def _tls() -> Any:
    from chalicelib.awsapi.client import tls

    return tls()


def client(name: str, *, connect_timeout: float, read_timeout: float, attempts: int) -> AwsClient:
    """A client of the environment's region, endpoint and credentials.

    Raises:
        ValueError: no region is set.
    """
    from chalicelib import aws

    return AwsClient(
        calls.service(name),
        aws.credentials(),
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        attempts=attempts,
    )
