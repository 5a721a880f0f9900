"""Small commands: `jangada unmatched`, `jangada types`, `jangada segments`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from cli import output
from cli.output import Problem, moment, span

LONGEST = 24  # characters of what an aggregator calls a status: some write sentences
MORE = 20  # characters that are listed one by one


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command `name` takes."""
    parser.add_argument("--json", action="store_true")
    if name == "unmatched":
        parser.add_argument("aggregator", metavar="AGGREGATOR")
        parser.set_defaults(run=unmatched)
    elif name == "types":
        parser.add_argument("code", nargs="?", default="", metavar="CODE", help="show the config keys of this type")
        parser.set_defaults(run=types)
    else:
        parser.add_argument("text", metavar="TEXT", help="- for standard input")
        whose = parser.add_mutually_exclusive_group()
        whose.add_argument("--link", default="", metavar="LINK", help="what this SMSC account makes of it")
        whose.add_argument("--file", default="", metavar="FILE", help="the same of the account in an aggregator file")
        parser.set_defaults(run=segments)


def unmatched(options: argparse.Namespace) -> None:
    """Receipts that wait for a message with their id; after seven days they are forgotten."""
    from chalicelib import registry, rendezvous
    from chalicelib.clock import now_ms
    from chalicelib.phones import mask

    registry.aggregator(options.aggregator)
    now = now_ms()
    rows: list[dict[str, Any]] = [
        {
            "external_id": one.external_id,
            "status": one.receipt.update.status.value,
            "code": one.receipt.update.code,
            "reason": one.receipt.update.reason,
            "destination": mask(one.receipt.update.destination),
            "since": one.since,
        }
        for one in rendezvous.unmatched(options.aggregator)
    ]
    if options.json:
        output.as_json(rows)
        return
    shown = [
        (
            row["external_id"],
            f"{row['status']} ({row['reason'][:LONGEST]})" if row["reason"] else row["status"],
            row["code"],
            row["destination"],
            moment(row["since"]),
            span(now - row["since"]),
        )
        for row in rows
    ]
    heads = ("external id", "status", "code", "destination", "parked", "age")
    output.table(heads, shown, "every receipt has found its message")


def types(options: argparse.Namespace) -> None:
    """The types, or the keys of one."""
    from chalicelib.registry import SMSC_TYPES
    from cli import kinds

    if not options.code:
        found = [
            {"code": code, "name": kinds.name_of(code), "served_by": "the relay" if code in SMSC_TYPES else "Lambda"}
            for code in kinds.codes()
        ]
        if options.json:
            output.as_json(found)
        else:
            output.table(("code", "name", "served by"), [tuple(one.values()) for one in found])
        return
    keys = kinds.keys(options.code)
    if options.json:
        output.as_json(keys)
        return
    code = options.code.upper()
    print(f"{code}: {kinds.name_of(code)}\n")
    output.table(("key", "value", "needed", "default", "about"), [_key(key) for key in keys])


def _key(key: dict[str, Any]) -> tuple[str, str, str, str, str]:
    kind = "secret" if key["secret"] else key["kind"]
    default = "" if key["default"] in (None, "", [], {}) else str(key["default"]).lower()
    if isinstance(key["default"], str):
        default = key["default"]
    return key["key"], kind, "yes" if key["required"] else "no", default, key["about"]


def segments(options: argparse.Namespace) -> None:
    """What a text costs on the air."""
    from chalicelib import gsm7, text
    from cli import link_segments

    given = sys.stdin.read().removesuffix("\n") if options.text == "-" else options.text
    if not given:
        raise Problem("the text is empty")
    if options.link or options.file:
        link_segments.run(options, given)
        return
    found = text.segments(given)
    plain = text.substitute_gsm7(given)
    forcing = [character for character in dict.fromkeys(given) if not gsm7.is_gsm7(character)]
    wide = gsm7.is_gsm7(given)
    dear = [c for c in dict.fromkeys(given) if (gsm7.septets(c) if wide else text.utf16_units(c)) > 1]
    about: dict[str, Any] = {
        "encoding": found.encoding,
        "segments": found.count,
        "units": found.units,
        "units_of_segments": [gsm7.septets(p) if wide else text.utf16_units(p) for p in found.parts],
        "forces_ucs2": [named(c) for c in forcing],
        "costs_two": [named(c) for c in dear],
        "as_gsm7": plain if plain != given else "",
        "segments_as_gsm7": text.segments(plain).count if plain != given else 0,
    }
    if options.json:
        output.as_json(about)
        return
    unit = "septets" if wide else "UTF-16 units"
    lengths = " + ".join(str(length) for length in about["units_of_segments"])
    instead = f'"{plain}", {count(about["segments_as_gsm7"])}' if about["as_gsm7"] else ""
    output.fields(
        [
            ("encoding", "GSM 7-bit" if wide else "UCS-2"),
            ("segments", f"{count(found.count)}: {lengths} {unit}"),
            ("forces UCS-2", listed(about["forces_ucs2"])),
            ("costs two", listed(about["costs_two"])),
            ("in GSM 7-bit", instead),
        ]
    )


def count(segments: int) -> str:
    """So many segments."""
    return f"{segments} segment{'' if segments == 1 else 's'}"


def listed(names: list[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - MORE} more" if len(names) > MORE else ""
    return ", ".join(names[:MORE]) + more


def named(character: str) -> str:
    """`é U+00E9`, or only the number where there is nothing to see."""
    number = f"U+{ord(character):04X}"
    return f"{character} {number}" if character.isprintable() and not character.isspace() else number
