"""`jangada segments --link ACCOUNT`, or `--file`: what one SMSC account makes of a text."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cli import misc, output
from cli.output import Problem

_STAND_IN: Final = "secret"  # for what is in SSM, and has nothing to do with texts


@dataclass(frozen=True)
class Sent:
    """A text as an account sends it."""

    encoding: str
    data_coding: int | None  # None: none is told
    unit: str
    sizes: tuple[int, ...]  # of each segment
    submits: int
    dear: tuple[tuple[str, int], ...]  # characters of more than one unit, and of how many

    @property
    def segments(self) -> str:
        """Their number and sizes."""
        lengths = " + ".join(map(str, self.sizes))
        cuts = "" if self.submits == len(self.sizes) else ", which the SMSC makes of one submit"
        return f"{misc.count(len(self.sizes))}: {lengths} {self.unit}{cuts}"


def run(options: argparse.Namespace, text: str) -> None:
    """What becomes of the text.

    Raises:
        Problem: there is no such account, or it cannot send the text.
    """
    name, code, config = _account(options)
    sent = _sent(text, code, config)
    forcing = _forcing(text, sent, code, config)
    smart = _sent(text, code, config.model_copy(update={"encoding": "smart"})) if config.encoding == "auto" else sent
    refused = f"max_parts is {config.max_parts}" if len(sent.sizes) > config.max_parts else ""
    about: dict[str, Any] = {
        "link": name,
        "type": code,
        "encoding": sent.encoding,
        "data_coding": sent.data_coding,
        "segments": len(sent.sizes),
        "units_of_segments": list(sent.sizes),
        "unit": sent.unit,
        "submits": sent.submits,
        "fails": refused,
        "forces_ucs2": [misc.named(c) for c in forcing],
        "costs": {misc.named(c): size for c, size in sent.dear},
        "smart": {"encoding": smart.encoding, "segments": len(smart.sizes)} if smart != sent else None,
    }
    if options.json:
        output.as_json(about)
        return
    coding = "" if sent.data_coding is None else f", data_coding {sent.data_coding}"
    instead = f"{_spoken(smart.encoding)}, {smart.segments}" if about["smart"] else ""
    output.fields(
        [
            ("link", f"{name}, {code}"),
            ("alphabet", f"{_spoken(sent.encoding)}{coding}"),
            ("segments", sent.segments),
            ("fails", refused),
            ("forces UCS-2", misc.listed(about["forces_ucs2"])),
            ("costs more", misc.listed([f"{c} {size}" for c, size in about["costs"].items()])),
            ("encoding: smart", instead),
        ]
    )


def _account(options: argparse.Namespace) -> tuple[str, str, Any]:
    """Name, type and config, from the registry or from a file."""
    from chalicelib.registry import SMSC_TYPES
    from cli import aggregator_files, kinds, links

    if options.link:
        one = links.account(options.link)
        name, code, given = one.name, one.type, {**one.config, **dict.fromkeys(one.secrets, _STAND_IN)}
    else:
        file = aggregator_files.read(options.file).aggregator
        if file is None or file.type not in SMSC_TYPES:
            raise Problem(f"{options.file} has no SMSC account")
        name, code = file.name, file.type
        given = {key: _STAND_IN if value == aggregator_files.SECRET else value for key, value in file.config.items()}
    model: Any = kinds.config_of(code)
    return name, code, model.read(given)


def _cut(text: str, code: str, config: Any) -> Any:
    """The `Cut` of the type, which has `encoding`, `parts` and `texts` whatever the type is."""
    cut: Callable[[str, Any], Any] = importlib.import_module(f"smsc_relay.{code.lower()}.texts").cut
    try:
        return cut(text, config)
    except ValueError as why:  # CannotEncode
        raise Problem(f"such a message fails: {why}") from None


def _sent(text: str, code: str, config: Any) -> Sent:
    from smsc_relay.smpp.alphabets import measure

    found = _cut(text, code, config)
    given = getattr(config, "segment_limits", {})
    sizes = tuple(measure(part, found.encoding, given)[0] for part in found.texts)
    unit = measure("", found.encoding, given)[1]
    each = [(c, measure(c, found.encoding, given)[0]) for c in dict.fromkeys("".join(found.texts))]
    keys = ("ucs2_data_coding", "ucs2_dcs") if found.encoding == "ucs2" else ("data_coding",)
    coding = getattr(found, "data_coding", None)  # UCP and CIMD2 have it in their config alone
    if coding is None:
        coding = next((getattr(config, key) for key in keys if hasattr(config, key)), None)
    dear = tuple((c, size) for c, size in each if size > 1)
    return Sent(found.encoding, coding, unit, sizes, len(found.parts), dear)


def _forcing(text: str, sent: Sent, code: str, config: Any) -> list[str]:
    """The characters that the account's alphabet lacks, where they had the text sent in UCS-2."""
    if sent.encoding != "ucs2" or "ucs2" in (config.encoding, getattr(config, "alphabet", "")):
        return []
    return [c for c in dict.fromkeys(text) if _cut(c, code, config).encoding == "ucs2"]


def _spoken(encoding: str) -> str:
    from chalicelib.gsm7_national import NUMBERS

    name, *shifts = encoding.split(":")
    spoken = {"gsm7": "GSM 7-bit", "gsm7_packed": "packed GSM 7-bit", "ucs2": "UCS-2"}.get(name, name)
    if not shifts:
        return spoken
    names = {str(number): language for language, number in NUMBERS.items()}
    kinds = zip(shifts, ("single shift", "locking shift"), strict=True)
    return f"{spoken} with the {' and the '.join(f'{names[n]} {kind} table' for n, kind in kinds if n != '0')}"
