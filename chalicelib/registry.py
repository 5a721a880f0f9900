"""Aggregators, channels, platforms and tokens, as the deployment has registered them.

They live in DynamoDB (table `registry`), their secrets in SSM SecureString, one parameter per aggregator or platform.
Reading is cached for 30 s; while AWS is in trouble the last value is served (stale-while-error). Writing is for the
CLI and in `registry_store.py`.

A credential of a platform is bound to its base URL: the parameter holds both, and is of no use for another host.
"""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from chalicelib import aws
from chalicelib.phones import contact_key
from chalicelib.records import explain
from chalicelib.settings import settings

FRESH: Final = 30.0  # seconds a value is used without asking again
FRESH_SECRET: Final = 300.0
FRESH_MISS: Final = 5.0  # seconds an absence is believed
RETRY: Final = 5.0  # seconds until AWS is asked again after it failed
SMSC_TYPES: Final = frozenset({"SMPP", "UCP", "CIMD2"})

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class RegistryUnavailable(RuntimeError):  # noqa: N818 - named for the state it is in
    """AWS does not answer and nothing is cached; try again."""


class UnknownChannel(LookupError):  # noqa: N818 - the field's name for it
    """No such channel is registered."""


class UnknownAggregator(LookupError):  # noqa: N818
    """No such aggregator is registered."""


class UnknownPlatform(LookupError):  # noqa: N818
    """No such platform is registered."""


class CredentialUnbound(RuntimeError):  # noqa: N818
    """The platform's credential was given for another base URL: nothing is sent until it is given for this one."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Aggregator(_Entry):
    """One account at an SMS company. `config` holds no secret; `secrets` names the keys that live in SSM."""

    name: str
    type: str  # "AT", "EX", "SMPP", ...
    config: dict[str, Any] = {}
    secrets: tuple[str, ...] = ()
    lane: Literal["own", "shared"] = "shared"
    egress: Literal["public", "nat", "vpc"] = "public"  # Terraform's: which function its lanes feed
    vpn: dict[str, Any] = {}
    contacts: dict[str, Any] = {}
    canary: dict[str, Any] = {}  # see canaries.py; empty: none
    version: int = 0  # ms: when it, or one of its secrets, was changed last

    @property
    def is_smsc(self) -> bool:
        """Served by the relay, not by λ send."""
        return self.type in SMSC_TYPES

    @property
    def own_lane(self) -> bool:
        """An SMSC always has a lane of its own."""
        return self.lane == "own" or self.is_smsc


class Channel(_Entry):
    """One number or short code of one workspace on one aggregator."""

    uuid: str
    id: int | None = None
    aggregator: str
    type: str
    address: str
    country: str = ""
    workspace: str = ""
    platform: str
    config: dict[str, Any] = {}
    enabled: bool = True
    created_at: int = 0
    former: dict[str, dict[str, Any]] = {}  # aggregators that it was on -> its config there: what waits there needs it


class Platform(_Entry):
    """One platform; its credential (`secret`) is bound to its base URL."""

    name: str
    base_url: str
    secret: bool = False
    concurrency: int = 5
    report_wired: bool = False
    version: int = 0  # ms: when it, or its credential, was changed last


class Token(_Entry):
    """A `/send` token of a workspace, by its hash."""

    hash: str
    workspace: str
    label: str = ""
    created_at: int = 0
    revoked: bool = False


# --- the cache ------------------------------------------------------------------------------------------------------


class _Cached:
    __slots__ = ("due", "lock", "mark", "value")

    def __init__(self) -> None:
        self.value: Any = _NOTHING
        self.mark = 0
        self.due = 0.0
        self.lock = threading.Lock()


_NOTHING: Final = object()
_cache: dict[tuple[str, ...], _Cached] = {}
_cache_lock = threading.Lock()


def reset() -> None:
    """Forget everything that is cached."""
    with _cache_lock:
        _cache.clear()


def _cached(key: tuple[str, ...], fetch: Callable[[], T], fresh: float = FRESH, mark: int = 0) -> T:
    """The value of `key`, fetched by one thread at a time, stale while AWS fails.

    Another `mark` than last time says that the value has changed, however fresh it is.
    """
    with _cache_lock:
        slot = _cache.setdefault(key, _Cached())
    if time.monotonic() < slot.due and slot.mark == mark:
        found: T = slot.value
        return found
    with slot.lock:
        now = time.monotonic()
        if now < slot.due and slot.mark == mark:
            return slot.value  # type: ignore[no-any-return]
        slot.mark = mark
        try:
            slot.value = fetch()
            slot.due = now + (FRESH_MISS if slot.value is None else fresh)
        except Exception as error:
            if slot.value is _NOTHING:
                raise RegistryUnavailable(f"the registry cannot be read: {type(error).__name__}") from error
            slot.due = now + RETRY
            from chalicelib import telemetry

            telemetry.logger().warning("registry_stale", extra={"error": type(error).__name__})
        return slot.value  # type: ignore[no-any-return]


def _item(pk: str, *, fresh: bool = False) -> dict[str, Any] | None:
    """An entry; `fresh` does not believe a cached absence, nor a replica's."""

    def fetch() -> dict[str, Any] | None:
        key = {"pk": {"S": pk}, "sk": {"S": "-"}}
        answer = aws.dynamodb().get_item(TableName=settings().table("registry"), Key=key, ConsistentRead=fresh)
        item = answer.get("Item")
        return json.loads(item["data"]["S"]) if item else None

    if fresh:
        with _cache_lock:
            slot = _cache.get((pk,))
            if slot is not None and slot.value is None:
                slot.due = 0.0
    return _cached((pk,), fetch)


def _entries(kind: str, model: type[M], unreadable: dict[str, str] | None = None) -> list[M]:
    """All entries of a kind: few, and asked for by the CLI and the relay only. `unreadable`: as in `channels`."""

    def fetch() -> list[tuple[str, str]]:
        pages = aws.pages(
            aws.dynamodb().scan,
            TableName=settings().table("registry"),
            ConsistentRead=True,
            FilterExpression="begins_with(pk, :kind)",
            ExpressionAttributeValues={":kind": {"S": f"{kind}#"}},
        )
        return [(item["pk"]["S"], item["data"]["S"]) for page in pages for item in page["Items"]]

    found: list[M] = []
    for key, text in _cached(("all", kind), fetch):
        try:
            found.append(model.model_validate(json.loads(text)))
        except ValueError as error:
            if unreadable is None:
                raise
            why = explain(error) if isinstance(error, ValidationError) else "it is no JSON"
            unreadable[key.partition("#")[2]] = f"its entry in the registry cannot be read: {why}"
    return found


# --- reading --------------------------------------------------------------------------------------------------------


def channel(uuid: str, *, fresh: bool = False) -> Channel:
    """The channel with this UUID, disabled ones included; `fresh` finds one that has just been added.

    Raises:
        UnknownChannel: there is none.
        RegistryUnavailable: AWS does not answer.
    """
    data = _item(f"chan#{uuid}", fresh=fresh)
    if data is None:
        raise UnknownChannel(f"no channel {uuid}")
    return Channel.model_validate(data)


def channel_for(ref: int | str, *, fresh: bool = False) -> Channel:
    """The channel with the platform's integer id or UUID `ref` (raises as `channel`)."""
    if isinstance(ref, str):
        return channel(ref, fresh=fresh)
    data = _item(f"chanid#{ref}", fresh=fresh)
    if data is None:
        raise UnknownChannel(f"no channel with id {ref}")
    return channel(data["uuid"], fresh=fresh)


def channel_at(aggregator_name: str, address: str) -> Channel:
    """The channel that has `address` on an aggregator (raises as `channel`)."""
    data = _item(f"addr#{aggregator_name}#{contact_key(address)}")
    if data is None:
        raise UnknownChannel(f"no channel on {aggregator_name} has the address {address}")
    return channel(data["uuid"])


def on(one: Channel, aggregator_name: str) -> Channel:
    """The channel as it is, or was before it moved, on an aggregator: what was queued for that is sent by that.

    Raises:
        UnknownChannel: there is no such aggregator any more.
        RegistryUnavailable: AWS does not answer.
    """
    if aggregator_name == one.aggregator:
        return one
    try:
        account = aggregator(aggregator_name)
    except UnknownAggregator:
        raise UnknownChannel(f"channel {one.uuid} was on {aggregator_name}, which is gone") from None
    config = one.former.get(aggregator_name, {})
    return one.model_copy(update={"aggregator": account.name, "type": account.type, "config": config})


def channels(unreadable: dict[str, str] | None = None) -> list[Channel]:
    """Every channel, by UUID. `unreadable`: is given those that cannot be read (a newer version's), by their names,
    with the reason; None: they raise a ValueError."""
    return sorted(_entries("chan", Channel, unreadable), key=lambda one: one.uuid)


def channels_of(aggregator_name: str) -> list[Channel]:
    """The channels on one aggregator."""
    return [one for one in channels() if one.aggregator == aggregator_name]


def aggregators(unreadable: dict[str, str] | None = None) -> list[Aggregator]:
    """Every aggregator, by name; `unreadable` as in `channels`."""
    return sorted(_entries("agg", Aggregator, unreadable), key=lambda one: one.name)


def aggregator(name: str) -> Aggregator:
    """The aggregator `name`.

    Raises:
        UnknownAggregator: there is none.
        RegistryUnavailable: AWS does not answer.
    """
    data = _item(f"agg#{name}")
    if data is None:
        raise UnknownAggregator(f"no aggregator {name}")
    return Aggregator.model_validate(data)


def platforms() -> list[Platform]:
    """Every platform, by name."""
    return sorted(_entries("plat", Platform), key=lambda one: one.name)


def platform(name: str) -> Platform:
    """The platform `name`.

    Raises:
        UnknownPlatform: there is none.
        RegistryUnavailable: AWS does not answer.
    """
    data = _item(f"plat#{name}")
    if data is None:
        raise UnknownPlatform(f"no platform {name}")
    return Platform.model_validate(data)


def token_hash(plain: str) -> str:
    """How a token is stored."""
    return sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def token(plain: str) -> Token | None:
    """The workspace's token, None for an unknown or revoked one."""
    hashed = token_hash(plain)
    data = _item(f"tok#{hashed}")
    if data is None:
        return None
    found = Token.model_validate(data)
    return found if hmac.compare_digest(found.hash, hashed) and not found.revoked else None


def tokens() -> list[Token]:
    """Every token, newest first."""
    return sorted(_entries("tok", Token), key=lambda one: -one.created_at)


# --- secrets --------------------------------------------------------------------------------------------------------


def secret_path(kind: Literal["aggregators", "platforms"], name: str) -> str:
    """The SSM parameter that holds the secrets of an aggregator or platform."""
    return f"{settings().ssm_prefix}/{kind}/{name}"


def _parameter(path: str, mark: int, *, fresh: bool = False) -> str:
    """An SSM parameter, "" where there is none; `mark` is the version of the entry that it belongs to."""

    def fetch() -> str:
        try:
            return str(aws.ssm().get_parameter(Name=path, WithDecryption=True)["Parameter"]["Value"])
        except Exception as error:
            if aws.error_code(error) == "ParameterNotFound":
                return ""
            raise

    if fresh:
        with _cache_lock:
            slot = _cache.get(("ssm", path))
            if slot is not None and slot.due - time.monotonic() < FRESH_SECRET - RETRY:
                slot.due = 0.0
    return _cached(("ssm", path), fetch, FRESH_SECRET, mark)


def secrets(aggregator_name: str, *, fresh: bool = False) -> dict[str, str]:
    """The secrets of an aggregator by config key. A new one is noticed as soon as the aggregator's version is;
    `fresh` asks SSM again, at most every 5 s."""
    mark = aggregator(aggregator_name).version
    text = _parameter(secret_path("aggregators", aggregator_name), mark, fresh=fresh)
    return {str(key): str(value) for key, value in json.loads(text or "{}").items()}


def platform_credential(name: str) -> str:
    """Value of the Authorization header for a platform, "" for none.

    Raises:
        CredentialUnbound: the credential was given for another base URL.
        UnknownPlatform | RegistryUnavailable: as `platform`.
    """
    one = platform(name)
    text = _parameter(secret_path("platforms", name), one.version) if one.secret else ""
    if not text:
        return ""
    held = json.loads(text)
    if base_of(held["base_url"]) != base_of(one.base_url):
        raise CredentialUnbound(
            f"the credential of platform {name} is for another base URL: `jangada platform credential {name}`"
        )
    return str(held["credential"])


def base_of(url: str) -> str:
    """One form for all written forms of a base URL: two are the same place if and only if these are equal."""
    parts = urlsplit(url.strip())
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme.lower())
    return f"{parts.scheme.lower()}://{(parts.hostname or '').lower()}:{port}{parts.path.rstrip('/')}"


def settings_of(one: Channel, *, fresh: bool = False) -> dict[str, Any]:
    """What the channel's type validates: the aggregator's config, its secrets, and the channel's own keys on top."""
    account = aggregator(one.aggregator)
    hidden = secrets(one.aggregator, fresh=fresh) if account.secrets else {}
    named = {key: hidden[key] for key in account.secrets if key in hidden}  # a key that left the file may linger in SSM
    return {**account.config, **named, **one.config}
