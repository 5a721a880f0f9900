"""HTTP as every channel and the platform client use it: bounded in time and size, guarded, its exchanges recorded.

What goes wrong is raised as an outcome (`chalicelib.outcomes`), so that a channel type only writes what is peculiar to
its aggregator. `requests` is imported with the first request.
"""

from __future__ import annotations

import functools
import json as json_module
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

from chalicelib.outcomes import ChannelDown, InDoubt, NotAccepted, Permanent, Temporary
from chalicelib.redaction import CUT, MAX_BODY, MAX_URL, Redactor
from chalicelib.response import Judge, Response, judge

if TYPE_CHECKING:
    import requests

    from chalicelib.guard import Attempt
    from chalicelib.tokens import Fetch

__all__ = ["Exchange", "Http", "Judge", "Response", "judge", "reset"]

USER_AGENT: Final = "Jangada/0.1"
TIMEOUT: Final = 30.0  # seconds for the whole request, redirects included
CONNECT_TIMEOUT: Final = 5.0
MAX_RESPONSE: Final = 1_048_576  # octets after decompression; an SMS API answers with a few hundred
MAX_REDIRECTS: Final = 10
LEAST_TIME: Final = 5.0  # seconds of a shared limit below which no request is begun: it would only end in doubt

_CHUNK: Final = 16_384
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]
_T = TypeVar("_T")


class Exchange(TypedDict):
    """One request and its answer as the trace keeps it: masked, then cut. `status` is 0 where no answer came."""

    url: str
    method: str
    status: int
    request: str
    response: str
    elapsed_ms: int
    error: str


@functools.cache
def _session(allow_private: bool) -> requests.Session:
    from chalicelib import guard

    return guard.new_session(allow_private=allow_private)


def reset() -> None:
    """Forget connections and tokens, as a new process would."""
    from chalicelib import tokens

    _session.cache_clear()
    tokens.reset()


@dataclass(frozen=True)
class _How:
    """What stays the same on the hops of one request."""

    auth: tuple[str, str] | None
    harmless: bool
    verify: bool
    limit: int


class Http:
    """One sender's view of HTTP: its secrets, its limits, and the exchanges it has had. Connections are shared.

    `secrets` are masked in the exchanges. `timeout` is in seconds, for one request with its redirects.
    `allow_private` lets requests reach private addresses: one machine, or a VPC of yours. `account` is the aggregator
    whose access tokens all processes share; without it they stay in this one.
    """

    def __init__(
        self,
        secrets: Iterable[str] = (),
        *,
        allow_private: bool = False,
        timeout: float = TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
        account: str = "",
    ) -> None:
        self.redact = Redactor(secrets)
        self.exchanges: list[Exchange] = []
        self._allow_private = allow_private
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._account = account
        self._deadline: float | None = None

    def within(self, seconds: float) -> None:
        """From now on all requests together have `seconds`: fetching a token must not use up the time of the message.

        A request that would begin with less than `LEAST_TIME` of it left is not made (`Temporary`).
        """
        self._deadline = time.monotonic() + seconds

    def _connections(self) -> requests.Session:
        return _session(self._allow_private)

    def _time(self) -> float:
        if self._deadline is None:
            return self._timeout
        left = self._deadline - time.monotonic()
        if left < min(LEAST_TIME, self._timeout):
            raise Temporary("connection_failed: the requests before this one took too long")
        return min(self._timeout, left)

    def get(self, url: str, **options: Any) -> Response:
        """`request` with GET."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Response:
        """`request` with POST."""
        return self.request("POST", url, **options)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Params | None = None,
        form: Params | None = None,
        json: Any = None,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        judge: Judge = judge,
        harmless: bool = False,
        verify: bool = True,
        limit: int = MAX_RESPONSE,
    ) -> Response:
        """Make one request and read its answer.

        `params` are appended to the URL; `form` (urlencoded, UTF-8; octets as they are), `json` or `body` is sent.
        `judge` looks at every answer and raises what it means. `harmless` requests send no message (fetching a token):
        a lost answer to one is no doubt, only trouble. `verify` false takes any certificate: for a gateway of the
        operator's own whose certificate nobody signed. `limit` is in octets of the answer: media may be larger.

        Raises:
            Temporary: nothing was sent: no connection, no such host, a private address, TLS.
            InDoubt: something was sent and no whole answer came.
            Permanent: the answer to a harmless request is over the limit.
            NotAccepted: whatever `judge` raises.
        """
        if params:
            url += ("&" if "?" in url else "?") + urlencode(_pairs(params))
        sent_headers = {"User-Agent": USER_AGENT}
        payload: bytes | None = body.encode("utf-8", "replace") if isinstance(body, str) else body
        if form is not None:
            payload = urlencode(_pairs(form)).encode("ascii")
            sent_headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif json is not None:
            payload = json_module.dumps(json, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
            sent_headers["Content-Type"] = "application/json"
        for name, value in (headers or {}).items():
            if name.lower() == "user-agent":
                continue
            known = next((key for key in sent_headers if key.lower() == name.lower()), name)
            sent_headers[known] = value
        if auth is not None:
            self.redact.add_basic(*auth)
        response = self._follow(method, url, payload, sent_headers, _How(auth, harmless, verify, limit))
        judge(response)
        return response

    def _follow(
        self,
        method: str,
        url: str,
        payload: bytes | None,
        headers: dict[str, str],
        how: _How,
    ) -> Response:
        from chalicelib import guard

        with guard.attempting(self._time()) as attempt:
            for _ in range(MAX_REDIRECTS + 1):
                response = self._exchange(attempt, method, url, payload, headers, how)
                location = response.headers.get("location")
                if response.status not in _REDIRECTS or not location:
                    return response
                try:
                    target = urljoin(url, location)
                    moved = _origin(target) != _origin(url)
                except ValueError:
                    return response  # nowhere to go: the redirect itself is the answer
                if response.status in (301, 302, 303) and method != "HEAD":
                    method, payload = "GET", None
                    headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
                if moved:
                    # credentials belong to the origin they were configured for, whatever their header is called
                    how = replace(how, auth=None)
                    headers = {
                        n: v for n, v in headers.items() if n.lower() in ("user-agent", "accept", "content-type")
                    }
                url = target
            return response

    def _exchange(
        self,
        attempt: Attempt,
        method: str,
        url: str,
        payload: bytes | None,
        headers: dict[str, str],
        how: _How,
    ) -> Response:
        """One hop, recorded."""
        import requests
        from urllib3.exceptions import HTTPError

        from chalicelib.prepared import prepared as prepared_request

        session = self._connections()
        started = time.monotonic()
        prepared: requests.PreparedRequest | None = None
        response: Response | None = None
        error = ""
        try:
            prepared = prepared_request(method, url, headers, payload, how.auth)
            attempt.sent = False
            # the adapter itself: Session.send would read a redirect's body, however large, and judge its target
            with session.get_adapter(prepared.url or url).send(
                prepared,
                stream=True,
                verify=how.verify,
                timeout=(min(self._connect_timeout, attempt.remaining()), attempt.remaining()),
            ) as answer:
                attempt.sent = True
                response = _head(answer, url)
                response = Response(response.status, url, response.headers, _read(answer, how.limit))
            return response
        except (requests.RequestException, HTTPError, OSError, ValueError) as failure:
            error = f"{type(failure).__name__}: {failure}"
            if response is not None and response.status >= 300:
                return response  # not accepted: that has been told, and an unread explanation does not change it
            raise _outcome(failure, attempt, how.harmless) from None
        finally:
            elapsed = round((time.monotonic() - started) * 1000)
            self.exchanges.append(self._record(method, url, headers, payload, prepared, response, elapsed, error))

    def _record(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        payload: bytes | None,
        prepared: requests.PreparedRequest | None,
        response: Response | None,
        elapsed_ms: int,
        error: str,
    ) -> Exchange:
        sent = {name: _latin(value) for name, value in (prepared.headers if prepared else headers).items()}
        line = f"{method} {prepared.path_url if prepared else url} HTTP/1.1"
        return {
            "url": self.redact.kept((prepared.url if prepared else None) or url, MAX_URL),
            "method": method,
            "status": response.status if response else 0,
            "request": self.redact.kept(self._message(line, sent, payload or b""), MAX_BODY),
            "response": self.redact.kept(
                self._message(f"HTTP/1.1 {response.status}", response.headers, response.body), MAX_BODY
            )
            if response
            else "",
            "elapsed_ms": elapsed_ms,
            "error": self.redact.kept(error, MAX_URL),
        }

    def _message(self, line: str, headers: Mapping[str, str], body: bytes) -> str:
        head = "".join(f"{name}: {self.redact.header(name, value)}\r\n" for name, value in headers.items())
        try:
            text = body.decode("utf-8").replace("\0", "\ufffd")
        except UnicodeDecodeError:
            text = CUT  # not text, or a charset of its own: octets help nobody in a log
        return f"{line}\r\n{head}\r\n{text}"

    # --- tokens ---------------------------------------------------------------------------------------------------

    def token(self, key: str, fetch: Fetch, *, refused: str = "") -> str:
        """An access token, kept until shortly before its end (`chalicelib.tokens`).

        `key` names the login, and should change with its credentials. `fetch` gets a token and its life in seconds.
        `refused` is one that the aggregator has refused. The token is masked in the exchanges, also in that which
        fetched it.
        """
        from chalicelib import tokens

        token = tokens.get(key, fetch, account=self._account, refused=refused)
        self.redact.add(token)
        for exchange in self.exchanges:
            exchange["response"] = self.redact(exchange["response"])
        return token

    def with_token(self, key: str, fetch: Fetch, offer: Callable[[str], _T]) -> _T:
        """What `offer` gives with the kept token; where the aggregator refuses it (401), with a new one, once."""
        token = self.token(key, fetch)
        try:
            return offer(token)
        except ChannelDown as down:
            if not down.credentials:
                raise
            return offer(self.token(key, fetch, refused=token))


def _pairs(params: Params) -> list[tuple[str, Any]]:
    """Parameters as pairs; text that UTF-8 cannot carry becomes "?"."""
    items = params.items() if isinstance(params, Mapping) else params
    return [
        (name, value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")) for name, value in items
    ]


def _latin(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port


def _head(answer: requests.Response, url: str) -> Response:
    return Response(answer.status_code, url, {name.lower(): value for name, value in answer.headers.items()})


class _TooLarge(ValueError):  # noqa: N818
    """The answer is over the limit."""


def _read(answer: requests.Response, limit: int) -> bytes:
    """The body, decompressed, at most `limit` octets of it.

    Raises:
        _TooLarge: it is longer.
    """
    octets = bytearray()
    for chunk in answer.raw.stream(_CHUNK, decode_content=True):
        octets += chunk
        if len(octets) > limit:
            raise _TooLarge(f"the answer is over {limit} octets")
    return bytes(octets)


def _outcome(failure: Exception, attempt: Attempt, harmless: bool) -> NotAccepted:
    """What a failure without an answer means: it depends on whether anything had been sent."""
    import requests

    from chalicelib import guard

    chain: BaseException | None = failure
    while chain is not None:
        if isinstance(chain, guard.PrivateAddress):
            return Temporary(f"connection_failed: {chain}")
        chain = chain.__cause__ or chain.__context__
    late = attempt.expired or isinstance(failure, requests.ReadTimeout)
    if attempt.sent or isinstance(failure, requests.ReadTimeout):
        if harmless and isinstance(failure, _TooLarge):
            return Permanent(str(failure))
        if harmless:
            return Temporary("connection_failed: no answer")
        return InDoubt("no answer in time" if late else "the connection broke before a whole answer came")
    if isinstance(failure, requests.ConnectTimeout) or late:
        return Temporary("connection_failed: no connection in time")
    if isinstance(failure, requests.exceptions.SSLError):
        return Temporary("connection_failed: no TLS connection")
    if isinstance(failure, requests.ConnectionError):
        return Temporary("connection_failed: no connection")
    return Temporary("connection_failed: the request cannot be made")
