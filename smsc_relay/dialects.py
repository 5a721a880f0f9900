"""The SMSC types: a table from the type's code to its dialect and its config, imported when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final

from chalicelib.channels import UnknownType
from smsc_relay.config import LinkConfig
from smsc_relay.protocol import Dialect

# code -> (module of DIALECT, module:class of its config)
_TYPES: Final[dict[str, tuple[str, str]]] = {
    "SMPP": ("smsc_relay.smpp.dialect", "smsc_relay.smpp.config:SmppConfig"),
    "CIMD2": ("smsc_relay.cimd2.dialect", "smsc_relay.cimd2.config:Cimd2Config"),
    "UCP": ("smsc_relay.ucp.dialect", "smsc_relay.ucp.config:UcpConfig"),
}

CODES: Final[tuple[str, ...]] = tuple(_TYPES)


def load(code: str) -> Dialect:
    """The dialect of the type `code`, in either case.

    Raises:
        UnknownType: there is none.
    """
    dialect: Dialect = importlib.import_module(_entry(code)[0]).DIALECT
    return dialect


def config_of(code: str) -> type[LinkConfig]:
    """The model of the config of the type `code` (raises as `load`)."""
    module, name = _entry(code)[1].split(":")
    model: type[LinkConfig] = getattr(importlib.import_module(module), name)
    return model


def advice_of(code: str) -> Mapping[str, str]:
    """What to ask the aggregator about a refusal, by the code that `Refused` and `Rejected` have (raises as `load`)."""
    package = _entry(code)[0].rpartition(".")[0]
    found: Mapping[str, str] = importlib.import_module(f"{package}.advice").ADVICE
    return found


def _entry(code: str) -> tuple[str, str]:
    try:
        return _TYPES[code.upper()]
    except KeyError:
        raise UnknownType(f"no SMSC type {code!r}; there are {', '.join(sorted(_TYPES))}") from None
