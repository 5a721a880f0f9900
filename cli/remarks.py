"""What an SMSC account's config may have and is yet worth a look: printed, and nothing is refused for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from chalicelib.registry import SMSC_TYPES
from cli import kinds
from cli.aggregator_files import SECRET, STAND_IN, Loaded


def of_file(file: Loaded) -> None:
    """Print those of a checked file."""
    if file.aggregator:
        of(file.aggregator.name, file.aggregator.type, file.aggregator.config)


def of(name: str, code: str, config: Mapping[str, Any], only: Collection[str] = ()) -> None:
    """Print those of a checked config, or of some keys; values are not repeated. `SECRET` values are not looked at."""
    if code.upper() not in SMSC_TYPES:
        return
    try:
        model: Any = kinds.config_of(code)
        read = model.model_validate({key: STAND_IN if value == SECRET else value for key, value in config.items()})
    except (ModuleNotFoundError, ValidationError):
        return  # this installation has no relay; or a secret that is not here has a form of its own
    for key, what in read.remarks():
        if config.get(key) != SECRET and (not only or key in only):
            print(f"note: {name}: {key} {what}")
