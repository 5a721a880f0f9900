"""The SMSC accounts that the registry knows, with everything a link needs. Blocking: for a thread."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chalicelib import queues, registry, telemetry
from chalicelib.channels import UnknownType
from chalicelib.channels.config import ConfigError
from chalicelib.registry import Aggregator, Channel
from smsc_relay import dialects
from smsc_relay.config import LinkConfig, listening_context, tls_context
from smsc_relay.protocol import Dialect


class Kind(NamedTuple):
    """An SMSC type."""

    dialect: Dialect
    config: type[LinkConfig]


def kind_of(code: str) -> Kind:
    """The type `code` (raises as `dialects.load`)."""
    return Kind(dialects.load(code), dialects.config_of(code))


class Sender(NamedTuple):
    """What a channel's messages are cut and sent by. `config` None: the channel's settings cannot be used."""

    enabled: bool
    config: LinkConfig | None
    workspace: str = ""


@dataclass(frozen=True)
class Account:
    """One account at an SMS company. Two are equal when one connection serves both."""

    name: str
    kind: Kind
    config: LinkConfig
    tls: ssl.SSLContext | None = field(default=None, compare=False)
    tls_called: ssl.SSLContext | None = field(default=None, compare=False)  # where the SMSC opens the connection
    channels: Mapping[str, Sender] = field(default_factory=dict, compare=False)  # by UUID

    @property
    def dialect(self) -> Dialect:
        """Of its type."""
        return self.kind.dialect

    def serves(self, other: Account) -> bool:
        """Connections made with these settings serve `other` as well."""
        same = (self.name, self.kind) == (other.name, other.kind)
        return same and not self.config.of_connections().intersection(self.differs(other))

    def differs(self, other: Account) -> list[str]:
        """Keys of the config that `other`, of the same kind, has otherwise."""
        keys = sorted(type(self.config).model_fields)
        return [key for key in keys if getattr(self.config, key) != getattr(other.config, key)]

    @property
    def lanes(self) -> tuple[str, str]:
        """The queues that it is served from: replies, bulk."""
        replies, bulk = (queues.lane_name(self.name, own=True, bulk=bulk) for bulk in (False, True))
        return queues.lane_queue(replies), queues.lane_queue(bulk)


@dataclass(frozen=True)
class Found:
    """What the registry has: the accounts that can be served, and why others cannot."""

    accounts: Mapping[str, Account]
    unusable: Mapping[str, str]  # name -> reason, without values
    faults: Mapping[str, Exception] = field(default_factory=dict)  # of ours, which are among the reasons


def load(only: Collection[str] = (), kinds: Callable[[str], Kind] = kind_of) -> Found:
    """Every SMSC account, or those named in `only`.

    Raises:
        registry.RegistryUnavailable: AWS does not answer.
    """
    accounts: dict[str, Account] = {}
    unusable: dict[str, str] = {}
    faults: dict[str, Exception] = {}
    channels: dict[str, list[Channel]] = {}
    unreadable: dict[str, str] = {}
    for channel in registry.channels(unreadable):
        channels.setdefault(channel.aggregator, []).append(channel)
        for name, own in channel.former.items():  # what waits there is sent as it was to be
            channels.setdefault(name, []).append(channel.model_copy(update={"aggregator": name, "config": own}))
    unusable |= {f"channel {uuid}": reason for uuid, reason in unreadable.items()}
    for one in registry.aggregators(unusable):
        if not one.is_smsc or (only and one.name not in only):
            continue
        try:
            accounts[one.name] = _account(one, channels.get(one.name, []), kinds)
        except (ConfigError, UnknownType, ImportError, registry.RegistryUnavailable) as error:
            unusable[one.name] = str(error)
        except Exception as fault:  # costs this account, and no other
            unusable[one.name] = f"a fault of ours: {telemetry.whereabouts(fault)}"
            faults[one.name] = fault
    return Found(accounts, unusable, faults)


def _account(one: Aggregator, channels: list[Channel], kinds: Callable[[str], Kind]) -> Account:
    kind = kinds(one.type)
    hidden = registry.secrets(one.name) if one.secrets else {}
    given = {**one.config, **{key: hidden[key] for key in one.secrets if key in hidden}}
    config = kind.config.read(given)
    senders = {
        channel.uuid: Sender(channel.enabled, _config(channel, given, config), channel.workspace)
        for channel in channels
    }
    called = any(config.listens(role) for role in kind.dialect.roles(config))
    return Account(one.name, kind, config, tls_context(config), listening_context(config) if called else None, senders)


def _config(channel: Channel, given: Mapping[str, Any], shared: LinkConfig) -> LinkConfig | None:
    if not channel.config:
        return shared
    try:
        return type(shared).read({**given, **channel.config})
    except ConfigError:
        return None
