"""`jangada token`: who may use POST /send."""

from __future__ import annotations

import argparse

from cli import output
from cli.output import Problem

_SHOWN = 12  # characters of a hash that name a token


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command takes."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)
    one = commands.add_parser("new", help="make a token for a workspace; it is shown once")
    one.add_argument("workspace", metavar="WORKSPACE")
    one.add_argument("--label", default="", help="what it is for")
    one.set_defaults(run=new)
    one = commands.add_parser("list", help="all tokens, by the beginning of their hash")
    one.add_argument("--workspace", default="", metavar="NAME")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=listing)
    one = commands.add_parser("revoke", help="a token opens nothing any more, within 30 s")
    one.add_argument("token", metavar="HASH", help="its hash, or the beginning that `list` shows")
    one.set_defaults(run=revoke)


def new(options: argparse.Namespace) -> None:
    """Make a token."""
    from chalicelib import registry, registry_store

    plain = registry_store.new_token(options.workspace, options.label)
    if options.workspace not in {one.workspace for one in registry.channels()}:
        output.note(f"note: no channel has the workspace {options.workspace} yet")
    output.note("put it into the platform's channel as `Authorization: Token ...`; it cannot be shown again")
    print(plain)


def listing(options: argparse.Namespace) -> None:
    """List tokens."""
    from chalicelib import registry

    found = [one for one in registry.tokens() if options.workspace in ("", one.workspace)]
    if options.json:
        output.as_json([one.model_dump(mode="json") for one in found])
        return
    rows = [
        (t.hash[:_SHOWN], t.workspace, t.label, output.moment(t.created_at), "revoked" if t.revoked else "valid")
        for t in found
    ]
    output.table(("hash", "workspace", "label", "created", "state"), rows, "no tokens: `jangada token new WORKSPACE`")


def revoke(options: argparse.Namespace) -> None:
    """Revoke one token."""
    from chalicelib import registry, registry_store

    if len(options.token) < 6:
        raise Problem("name the token by at least six characters of its hash")
    found = [one for one in registry.tokens() if one.hash.startswith(options.token.lower())]
    if len(found) != 1:
        raise Problem(f"{len(found) or 'no'} tokens begin with {options.token}; `jangada token list` shows them")
    if not found[0].revoked:
        registry_store.revoke_token(found[0])
    print(f"token {found[0].hash[:_SHOWN]} of {found[0].workspace} is revoked")
