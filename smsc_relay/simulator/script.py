"""A script: accounts, their behaviour, what happens to which destination. Read from YAML or JSON, changed by patches.

A patch is a part of a script: mappings are merged, everything else is replaced.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from chalicelib.channels.config import Secret
from smsc_relay.simulator.settings import (
    DEFAULT_RULES,
    Alphabet,
    Behaviour,
    Count,
    Latin,
    Model,
    Rule,
    Seconds,
    suffixes,
)
from smsc_relay.smpp.constants import Status
from smsc_relay.smpp.statuses import StatusCode

_HIDDEN: Final = "*" * 10
BindType = Literal["transceiver", "transmitter", "receiver"]


class ScriptError(ValueError):
    """A script that cannot be used. The text names every bad key; it holds no value."""


class Outbind(Model):
    """Where the SMSC connects to when something waits for an account and no receiver is bound."""

    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    system_id: Latin = Field("SMSC", max_length=255, description="what the SMSC calls itself")
    password: Secret | None = None
    tls: bool = Field(False, description="speak TLS, whatever certificate the client has")


class AccountSettings(Model):
    """One account of the SMSC; its name is the system_id."""

    password: Secret | None = Field(None, description="unset: any")
    system_type: str | None = Field(None, description="that a login must have; unset: any")
    binds: tuple[BindType, ...] = ("transceiver", "transmitter", "receiver")
    max_binds: Count | None = Field(None, description="sessions at a time; unset: any number")
    over_binds: StatusCode = Field(Status.ESME_RALYBND, description="to a login above max_binds")
    window: Count | None = Field(None, description="unanswered submits of a session; unset: any number")
    tps: float | None = Field(None, gt=0, description="submits a second, over all sessions; unset: any number")
    addresses: tuple[str, ...] = Field((), description="MOs to these come here: numbers, or patterns with * and ?")
    alphabet: Alphabet = Field("gsm7", description="what data_coding 0 means")
    behaviour: dict[str, Any] = Field({}, description="where it differs from the behaviour of all")
    outbind: Outbind | None = None

    def serves(self, address: str) -> bool:
        """An MO to this address is for this account."""
        return any(fnmatchcase(address, pattern) for pattern in self.addresses)


class Script(Model):
    """What the SMSC does."""

    accounts: dict[str, AccountSettings] = {}
    anyone: bool | None = Field(
        None, description="accept names that are not in accounts, with any password; unset: if accounts is empty"
    )
    behaviour: Behaviour = Behaviour()
    destinations: Annotated[dict[str, Rule | None], BeforeValidator(suffixes)] = Field(
        {}, description="by the last digits of the destination, longest first; null takes one of the built-in ones away"
    )
    built_in: bool = Field(True, description="false: none of the built-in destinations")
    login_timeout: Seconds = Field(30, description="for a connection to log in")
    response_timeout: Seconds = Field(10, description="for the client to answer")
    keep: int = Field(100_000, ge=0, description="messages, MOs to remember")
    seed: int = Field(0, description="of what is drawn: ranges of times")

    @model_validator(mode="after")
    def _accounts_behave(self) -> Self:
        _ = self._behaviours
        return self

    @cached_property
    def _behaviours(self) -> dict[str, Behaviour]:
        base = self.behaviour.model_dump()
        found = {}
        for name, account in self.accounts.items():
            try:
                found[name] = Behaviour.model_validate(merged(base, account.behaviour))
            except ValidationError as error:
                raise ValueError(explain(error, f"accounts.{name}.behaviour.")) from None
        return found

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """By suffix."""
        found: dict[str, Rule | None] = {**(DEFAULT_RULES if self.built_in else {}), **self.destinations}
        return {suffix: rule for suffix, rule in found.items() if rule is not None}

    def account(self, name: str) -> AccountSettings | None:
        """The settings of an account; None: there is none of this name."""
        known = self.accounts.get(name)
        if known is None and (self.anyone if self.anyone is not None else not self.accounts):
            return AccountSettings()
        return known

    def behaviour_of(self, name: str) -> Behaviour:
        """The behaviour of an account, or of one that is not listed."""
        return self._behaviours.get(name, self.behaviour)

    def patched(self, patch: Mapping[str, Any]) -> Script:
        """The script with a patch.

        Raises:
            ScriptError: the result is no script.
        """
        return parse(merged(self.model_dump(exclude_unset=True), patch))

    def shown(self) -> dict[str, Any]:
        """As JSON, without passwords."""
        found: dict[str, Any] = self.model_dump(mode="json")
        for account in found["accounts"].values():
            for part in (account, account["outbind"] or {}):
                if part.get("password") is not None:
                    part["password"] = _HIDDEN
        return found


def parse(data: Any) -> Script:
    """A script from what YAML or JSON had.

    Raises:
        ScriptError: it is none.
    """
    if not isinstance(data, Mapping):
        raise ScriptError("a script is a mapping with keys such as accounts, behaviour, destinations")
    try:
        return Script.model_validate(data)
    except ValidationError as error:
        raise ScriptError(explain(error)) from None


def load(paths: Iterable[str | Path]) -> Script:
    """The scripts in files, each a patch of the ones before it.

    Raises:
        ScriptError: a file cannot be read or is no script.
    """
    data: dict[str, Any] = {}
    for path in paths:
        data = merged(data, _read(Path(path)))
        try:
            parse(data)
        except ScriptError as error:
            raise ScriptError(f"{path}: {error}") from None
    return parse(data)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    if path.suffix == ".json":
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ScriptError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    else:
        import yaml  # only who has YAML needs it

        try:
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            raise ScriptError(f"{path}{line}: not YAML: {getattr(error, 'problem', None) or 'unreadable'}") from None
    if not isinstance(data, Mapping):
        raise ScriptError(f"{path}: a script is a mapping with keys such as accounts, behaviour, destinations")
    return data


def merged(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `patch`; neither is changed. Unlike in RFC 7396, null is a value: it says "none" of many keys."""
    found = dict(base)
    for key, value in patch.items():
        below = found.get(key)
        found[key] = merged(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return found


def explain(error: ValidationError, prefix: str = "") -> str:
    """Every bad key and what is wrong with it."""
    lines = []
    for item in error.errors(include_url=False):
        key = ".".join(str(step) for step in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "unknown key"
        lines.append(f"{prefix}{key}: {message}" if key else f"{prefix.rstrip('.')}: {message}".removeprefix(": "))
    return "; ".join(lines)
