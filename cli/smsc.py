"""`jangada smsc`: SMSC accounts. `import` writes aggregator files from what Kannel or Jasmin has; what goes to a
running relay, or comes from it, is in `links.py`."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli import asking, links, onboarding
from cli.output import Problem


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command takes."""
    commands = parser.add_subparsers(metavar="WHAT", required=True)
    one = commands.add_parser("import", help="aggregator files from the SMPP groups of Kannel, or connectors of Jasmin")
    one.add_argument("file", metavar="FILE", help="a Kannel configuration, or what Jasmin's `smppccm -s CID` prints")
    one.add_argument("--out", default=".", metavar="DIR", help="where the files go (default: here)")
    one.set_defaults(run=import_)
    for module in (links, asking, onboarding):
        module.arguments(commands)


def import_(options: argparse.Namespace) -> None:
    """Write a file for each account; say what a person must look at. No file is written over."""
    from cli import jasmin, kannel, smsc_accounts

    try:
        text = Path(options.file).read_text(encoding="utf-8-sig")
        peer = next((one for one in (kannel, jasmin) if one.recognised(text)), None)
        if peer is None:
            raise smsc_accounts.UnreadableError(
                "neither a Kannel configuration (`group = smsc`, lines `key = value`), nor what Jasmin's jcli prints "
                "for `smppccm -s CID` (lines `key value`, with the session around them or without)"
            )
        found, others = peer.imported(text), peer.skipped(text)
    except (smsc_accounts.UnreadableError, UnicodeDecodeError) as error:
        raise Problem(f"{options.file}: {error}") from None
    directory = Path(options.out)
    paths = [directory / f"{one.name}.yaml" for one in found]
    there = [str(path) for path in paths if path.exists()]
    if there:
        raise Problem(f"{', '.join(there)}: there already; choose another --out")
    directory.mkdir(parents=True, exist_ok=True)
    for one, path in zip(found, paths, strict=True):
        path.write_text(one.text, encoding="utf-8")
        print(f"wrote {path}")
        for remark in one.remarks:
            print(f"  {remark}")
    for other in others:
        print(f"not imported: {other}")
