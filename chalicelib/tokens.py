"""Access tokens of aggregators: got once, used by every process until their end, and replaced by one of them.

A process keeps what it has used. Behind it is an SSM SecureString of each aggregator (`<ssm prefix>/tokens/<name>`),
and an item `token#<name>` of the ledger's table that one process at a time may hold to get a new token; the others go
on with the old one while it lasts, or wait a moment. Where SSM or DynamoDB is away, each process gets its own.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from chalicelib.clock import now_ms
from chalicelib.outcomes import Temporary, Throttled

Fetch = Callable[[], tuple[str, float]]  # a token, and its life in seconds

MARGIN: Final = 60_000  # ms before its end at which a token is replaced, or half its life where that is less
LAST: Final = 10_000  # ms before its end at which it is of no use, even while another is being got
LEASE: Final = 40_000  # ms that getting one may take: longer than a request (transport.TIMEOUT)
WAIT: Final = 10.0  # s to wait for another process that is getting one
LOOK: Final = 0.2  # s between two looks
SETTLE: Final = 2.0  # s until SSM shows everybody what has been written
KEEP: Final = 86_400  # s: DynamoDB's ttl of a lease
MAX_SIZE: Final = 8192  # octets of an SSM parameter of the advanced tier (SSM API reference, PutParameter)


@dataclass(frozen=True, slots=True)
class Token:
    """A token with its times (ms)."""

    text: str
    got: int
    ends: int

    def good(self, refused: str, now: int) -> bool:
        """It can be used, and need not be replaced yet."""
        life = self.ends - self.got
        return self.text != refused and now < self.got + max(life - MARGIN, life / 2)

    def lasts(self, refused: str, now: int) -> bool:
        """It can be used while another is being got."""
        return self.text != refused and now < self.ends - LAST


_lock: Final = threading.Lock()
_kept: Final[dict[str, Token]] = {}
_getting: Final[dict[str, threading.Lock]] = {}


def reset() -> None:
    """Forget all tokens, as a new process would."""
    with _lock:
        _kept.clear()


def get(key: str, fetch: Fetch, *, account: str = "", refused: str = "") -> str:
    """A token that can be used now.

    Args:
        key: names the login; another login has another key.
        fetch: gets a new token from the aggregator.
        account: the aggregator whose processes share it; "" keeps it in this process.
        refused: a token that the aggregator does not take any more: it, and whatever is older, is not given again.

    Raises:
        NotAccepted: from `fetch`; or Temporary where another process takes long to get one.
    """
    with _lock:
        kept, getting = _kept.get(key), _getting.setdefault(key, threading.Lock())
    if kept and kept.good(refused, now_ms()):
        return kept.text
    if not getting.acquire(blocking=False):
        if kept and kept.lasts(refused, now_ms()):
            return kept.text
        getting.acquire()
    try:
        kept = _kept.get(key)
        if kept and kept.good(refused, now_ms()):
            return kept.text
        try:
            found = _shared(key, fetch, account, kept, refused) if account else _fetched(fetch)
        except (Temporary, Throttled):
            if kept and kept.lasts(refused, now_ms()):
                return kept.text
            raise
        with _lock:
            _kept[key] = found
        return found.text
    finally:
        getting.release()


def _fetched(fetch: Fetch) -> Token:
    text, seconds = fetch()
    now = now_ms()
    return Token(text, now, now + round(seconds * 1000))


# --- shared by every process --------------------------------------------------------------------------------------


def _shared(key: str, fetch: Fetch, account: str, kept: Token | None, refused: str) -> Token:
    newer_than = kept.got if kept and kept.text == refused else -1

    def good(held: Mapping[str, Token]) -> Token | None:
        one = held.get(key)
        return one if one and one.got > newer_than and one.good(refused, now_ms()) else None

    over = time.monotonic() + WAIT
    while True:
        try:
            held, _ = _read(account)
            found = good(held)
            lease = None if found else _Lease.take(account)
        except Exception as error:
            _not_shared(account, error)
            return _fetched(fetch)
        if found:
            return found
        if lease:
            return lease.use(key, fetch, good)
        for old in (held.get(key), kept):
            if old and old.lasts(refused, now_ms()) and old.got > newer_than:
                return old
        if time.monotonic() >= over:
            raise Temporary("another sender is getting the access token")
        time.sleep(LOOK)


@dataclass(frozen=True, slots=True)
class _Lease:
    """The right to get a new token for an account. `version` of its parameter was the last to be written."""

    account: str
    owner: str
    version: int

    @classmethod
    def take(cls, account: str) -> _Lease | None:
        """Take it; None where another process holds it."""
        from chalicelib import ledger_table, queues

        owner, now = queues.new_id(), now_ms()
        before = ledger_table.attempt(
            lambda: ledger_table.update(
                f"token#{account}",
                "SET o = :owner, u = :until, #ttl = :ttl",
                {
                    ":owner": {"S": owner},
                    ":until": {"N": str(now + LEASE)},
                    ":now": {"N": str(now)},
                    ":ttl": {"N": str(now // 1000 + KEEP)},
                },
                condition="attribute_not_exists(u) OR u < :now",
                names={"#ttl": "ttl"},
                answer="ALL_OLD",
            )
        )
        return None if before is None else cls(account, owner, int(before.get("v", {"N": "0"})["N"]))

    def use(self, key: str, fetch: Fetch, good: Callable[[Mapping[str, Token]], Token | None]) -> Token:
        """Get a token and share it, unless the holder before us has done so."""
        version = self.version
        try:
            held = self._held()
            found = good(held)
            if found is None:
                found = _fetched(fetch)
                try:
                    version = _write(self.account, {**held, key: found}, key)
                except Exception as error:
                    _not_shared(self.account, error)
            return found
        finally:
            self._leave(version)

    def _held(self) -> dict[str, Token]:
        """What is in SSM, once it shows what was written last."""
        over = time.monotonic() + SETTLE
        while True:
            try:
                held, version = _read(self.account)
            except Exception as error:
                _not_shared(self.account, error)
                return {}
            if version >= self.version or time.monotonic() >= over:
                return held
            time.sleep(LOOK)

    def _leave(self, version: int) -> None:
        from chalicelib import ledger_table

        try:
            ledger_table.attempt(
                lambda: ledger_table.update(
                    f"token#{self.account}",
                    "SET u = :free, v = :version",
                    {":free": {"N": "0"}, ":version": {"N": str(version)}, ":owner": {"S": self.owner}},
                    condition="o = :owner",
                    answer="NONE",
                )
            )
        except Exception as error:
            _not_shared(self.account, error)  # it ends by itself


def _path(account: str) -> str:
    from chalicelib.settings import settings

    return f"{settings().ssm_prefix}/tokens/{account}"


def _read(account: str) -> tuple[dict[str, Token], int]:
    """The tokens of an account by key, and the version of the parameter that they are in (0: there is none)."""
    from chalicelib import aws

    try:
        parameter = aws.ssm().get_parameter(Name=_path(account), WithDecryption=True)["Parameter"]
    except Exception as error:
        if aws.error_code(error) == "ParameterNotFound":
            return {}, 0
        raise
    version = int(parameter["Version"])
    try:
        held: dict[str, dict[str, Any]] = json.loads(parameter["Value"])
        return {key: Token(**one) for key, one in held.items()}, version
    except (ValueError, TypeError, AttributeError):
        return {}, version  # written by other code than this: replaced with the next token


def _write(account: str, held: Mapping[str, Token], key: str) -> int:
    """Store what has not ended; answers the parameter's version."""
    from chalicelib import aws
    from chalicelib.settings import settings

    now = now_ms()
    value = _dump({name: one for name, one in held.items() if one.ends > now})
    if len(value) > MAX_SIZE:
        value = _dump({key: held[key]})
    encrypted_with = {"KeyId": settings().kms_key} if settings().kms_key else {}
    answer = aws.ssm().put_parameter(
        Name=_path(account),
        Value=value,
        Type="SecureString",
        Tier="Intelligent-Tiering",
        Overwrite=True,
        **encrypted_with,
    )
    return int(answer["Version"])


def _dump(held: Mapping[str, Token]) -> str:
    return json.dumps({key: asdict(one) for key, one in held.items()}, separators=(",", ":"))


def _not_shared(account: str, error: Exception) -> None:
    from chalicelib import telemetry

    extra = {"aggregator": account, "error": telemetry.whereabouts(error)}
    telemetry.logger().warning("token_not_shared", extra=extra)
