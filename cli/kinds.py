"""The aggregator types, whoever serves them: HTTP types are chalicelib's, SMSC types the relay's."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

from chalicelib import channels
from chalicelib.registry import SMSC_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import BaseModel

SMSC_NAMES = {"SMPP": "SMPP 3.3, 3.4 and 5.0", "UCP": "UCP/EMI", "CIMD2": "CIMD2"}


def codes() -> list[str]:
    """Every type's code: HTTP types, then SMSC types."""
    return [*sorted(channels.CODES), *sorted(SMSC_TYPES)]


def name_of(code: str) -> str:
    """What the type is called."""
    return SMSC_NAMES.get(code) or channels.load(code).name


def meant(key: str, known: Iterable[str]) -> str:
    """What to say after an unknown key: the one that was meant, or all that there are."""
    known = list(known)
    close = difflib.get_close_matches(key, known, 1) or difflib.get_close_matches(key.upper(), known, 1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"


def config_of(code: str) -> type[BaseModel]:
    """The model of a type's config.

    Raises:
        channels.UnknownType: there is no such type.
    """
    if code.upper() in SMSC_TYPES:
        dialects = importlib.import_module("smsc_relay.dialects")
        model: type[BaseModel] = dialects.config_of(code.upper())
        return model
    if code.upper() not in channels.CODES:
        raise channels.UnknownType(f"no type {code}; {meant(code, codes())}")
    return channels.load(code).Config


def secret_keys(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys whose values are secrets: their schema says `writeOnly`, as pydantic's does for such types."""
    found = model.model_json_schema(by_alias=False)["properties"]
    return tuple(key for key, about in found.items() if _hidden(about))


def account_keys(model: type[BaseModel]) -> frozenset[str]:
    """The keys that a channel cannot have for itself, since all channels of an account share its connections."""
    of_account: Callable[[], frozenset[str]] | None = getattr(model, "of_account", None)
    return of_account() if of_account else frozenset()


def _hidden(about: Any) -> bool:
    if isinstance(about, dict):
        return bool(about.get("writeOnly")) or any(_hidden(one) for one in about.get("anyOf", ()))
    return False


def keys(code: str) -> list[dict[str, Any]]:
    """As `keys_of`; `secret` means what the type makes of it."""
    found = keys_of(config_of(code))
    kind = channels.load(code) if code.upper() in channels.CODES else None
    if kind is not None and not kind.token_in_url and kind.proof:
        for key in found:
            if key["key"] == "secret":
                key["about"] = f"what callbacks prove themselves with: {kind.proof.replace('`', '')}"
    return found


def keys_of(model: type[BaseModel]) -> list[dict[str, Any]]:
    """The config keys of a type: `{"key", "kind", "required", "default", "secret", "about"}`; those that every type
    has come last, required ones first."""
    from chalicelib.channels.config import ChannelConfig
    from cli import descriptions

    schema = model.model_json_schema()
    hidden = secret_keys(model)
    found = [
        {
            "key": key,
            "kind": _kind(about, schema.get("$defs", {})),
            "required": key in schema.get("required", ()),
            "default": about.get("default"),
            "secret": key in hidden,
            "about": descriptions.of(model, key),
        }
        for key, about in schema["properties"].items()
    ]
    return sorted(found, key=lambda one: (not one["required"], one["key"] in ChannelConfig.model_fields))


def _kind(about: dict[str, Any], known: dict[str, Any]) -> str:
    """A JSON Schema in a word or two."""
    if "$ref" in about:
        return _kind(known[about["$ref"].rsplit("/", 1)[-1]], known)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in about:
            kinds = dict.fromkeys(_kind(one, known) for one in about[several] if one.get("type") != "null")
            return " or ".join(kinds)
    if "enum" in about:
        return "one of " + ", ".join(map(str, about["enum"]))
    if "const" in about:
        return str(about["const"])
    if about.get("type") == "array":
        return f"list of {_kind(about.get('items', {}), known)}"
    words = {"string": "text", "integer": "number", "number": "number", "boolean": "true or false", "object": "mapping"}
    return words.get(str(about.get("type")), "anything")
