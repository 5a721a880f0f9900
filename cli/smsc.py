"""`jangada smsc`: SMSC accounts. `import` writes aggregator files from a Kannel configuration; what goes to a running
relay, or comes from it, is in `links.py`."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli import asking, links, onboarding
from cli.output import Problem


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command takes."""
    commands = parser.add_subparsers(metavar="WHAT", required=True)
    one = commands.add_parser("import", help="aggregator files from the SMPP groups of a Kannel configuration")
    one.add_argument("file", metavar="KANNEL.CONF")
    one.add_argument("--out", default=".", metavar="DIR", help="where the files go (default: here)")
    one.set_defaults(run=import_)
    for module in (links, asking, onboarding):
        module.arguments(commands)


def import_(options: argparse.Namespace) -> None:
    """Write a file for each account; say what a person must look at. No file is written over."""
    from cli import kannel, smsc_accounts

    try:
        text = Path(options.file).read_text(encoding="utf-8-sig")
        found = kannel.imported(text)
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
    for other in kannel.skipped(text):
        print(f"not imported: {other}")
