"""`jangada docs channels`: the pages of docs/channels, a table of all HTTP types and a page for each, from the code."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

from cli import smsc_pages
from cli.output import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chalicelib.channels.base import HttpChannel

DIRECTORY = "docs/channels"
_LINK = re.compile(r"https?://[^\s]*[^\s.,:;)]")
_COLUMNS = ("code", "name", "receive", "receipts", "media", "callbacks proven by", "opt-out", "longest part")
_CONFIG = ("key", "value", "needed", "default", "about")
_ABOUT = """\
Made by `jangada docs channels` from the code: edit the types in `chalicelib/channels`, not these pages. How to write
another type: [adding-a-channel.md](../adding-a-channel.md). SMSCs (SMPP) are no channels of this kind: see
[aggregators.md](../aggregators.md).

`receive`: messages from phones reach the platform. `receipts`: delivery reports do. `media`: attachments travel as
media; elsewhere their URLs go into the text. `callbacks proven by`: what is checked besides the URL; every type that
shows `?token=` puts the config key `secret`, where it is set, into its callback URLs and asks for it, and every type
can be limited to `allowed_networks`. `opt-out`: what tells us that somebody wants no more messages: a callback, or the
refusal to send. `longest part`: characters of a request; a longer text is cut, unless the aggregator cuts for itself.
"""


class Facts(NamedTuple):
    """What a type does, as its code says."""

    receives: bool
    receipts: bool
    media: str
    proof: str
    optout: str
    longest: str
    link: str


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command takes."""
    commands = parser.add_subparsers(metavar="WHAT", required=True)
    one = commands.add_parser("channels", help="a table of all types, and a page for each")
    one.add_argument("directory", nargs="?", default=DIRECTORY, metavar="DIR", help=f"default: {DIRECTORY}")
    one.add_argument("--check", action="store_true", help="write nothing; exit status 1 where a page is not up to date")
    one.set_defaults(run=channels)
    two = commands.add_parser("smsc", help="the reference of the SMPP keys")
    two.add_argument("file", nargs="?", default=smsc_pages.PAGE, metavar="FILE", help=f"default: {smsc_pages.PAGE}")
    two.add_argument("--check", action="store_true", help="write nothing; exit status 1 where it is not up to date")
    two.set_defaults(run=smsc_pages.run)


def channels(options: argparse.Namespace) -> None:
    """Write the pages, or check that they are as written."""
    directory = Path(options.directory)
    pages = made()
    there = {path.name for path in directory.glob("*.md")}
    gone = sorted(there - pages.keys())
    if options.check:
        stale = [name for name, text in pages.items() if name not in there or (directory / name).read_text() != text]
        if stale or gone:
            raise Problem(f"not up to date in {directory}: {', '.join(stale + gone)}; run `jangada docs channels`")
        print(f"{directory} is up to date")
        return
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (directory / name).write_text(text, encoding="utf-8")
    for name in gone:
        (directory / name).unlink()
    print(f"wrote {directory}")


def made() -> dict[str, str]:
    """File name -> text of each page."""
    from chalicelib import channels as types

    kinds = [types.load(code) for code in sorted(types.CODES)]
    return {"README.md": _index(kinds), **{page_of(kind): _page(kind) for kind in kinds}}


def page_of(kind: type[HttpChannel]) -> str:
    """File name of a type's page: its module's."""
    return f"{kind.__module__.rsplit('.', 1)[1]}.md"


# --- what the code says ---------------------------------------------------------------------------------------------


def facts(kind: type[HttpChannel]) -> Facts:
    """What a type does: which of the base's builders its methods call, which outcomes its modules know."""
    called = set(_called(kind))
    optouts = ["callback"] if called & {"optout", "OptOut"} else []
    if any("OptedOut" in vars(sys.modules[one.__module__]) for one in _own(kind)):
        optouts.append("refusal")
    media = "yes" if kind.media else kind.media_when or "no"
    most = f", {kind.max_segments} short messages" if kind.max_segments else ""
    link = _LINK.search(_docstring(kind))
    return Facts(
        receives=bool(called & {"incoming", "Incoming", "IncomingPiece"}),
        receipts=bool(called & {"update", "StatusUpdate"}),
        media=f"{media}, up to {kind.max_media}" if kind.media and kind.max_media != float("inf") else media,
        proof="; ".join(filter(None, (kind.proof, "`?token=`" if kind.token_in_url and kind.routes() else ""))),
        optout=" and ".join(optouts) or "no",
        longest="the aggregator cuts" if kind.max_length is None else f"{kind.max_length}{most}",
        link=link.group() if link else "",
    )


def _own(kind: type[HttpChannel]) -> list[type]:
    from chalicelib.channels.base import HttpChannel

    return [one for one in kind.__mro__ if issubclass(one, HttpChannel) and one is not HttpChannel]


def _called(kind: type[HttpChannel]) -> Iterator[str]:
    """Every name that a type's own methods use."""
    for one in _own(kind):
        for value in vars(one).values():
            code = getattr(getattr(value, "fget", value), "__code__", None)
            todo = [code] if code else []
            while todo:
                code = todo.pop()
                yield from code.co_names
                todo += [const for const in code.co_consts if isinstance(const, CodeType)]


def _docstring(kind: type[HttpChannel]) -> str:
    return inspect.getdoc(sys.modules[kind.__module__]) or ""


# --- pages ----------------------------------------------------------------------------------------------------------


def _table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = ["| " + " | ".join(heads) + " |"]
    lines.append("|" + "---|" * lines[0].count(" | ") + "---|")
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _index(kinds: list[type[HttpChannel]]) -> str:
    from chalicelib.channels.config import ChannelConfig
    from cli import kinds as config

    rows = []
    for kind in kinds:
        told = facts(kind)
        rows.append((f"`{kind.code}`", f"[{kind.name}]({page_of(kind)})", _yes(told.receives), _yes(told.receipts),
                     told.media, told.proof or "-", told.optout, told.longest))  # fmt: skip
    keys = _table(_CONFIG, map(_key, config.keys_of(ChannelConfig)))
    return (
        f"# HTTP channel types\n\n{len(kinds)} types. {_ABOUT}\n{_table(_COLUMNS, rows)}\n"
        f"## Keys of every type\n\nThey may stand in an aggregator's `config`, and in a channel's own.\n\n{keys}"
    )


def _page(kind: type[HttpChannel]) -> str:
    from chalicelib.channels.config import ChannelConfig
    from cli import kinds as config

    told = facts(kind)
    usual = {key["key"]: key for key in config.keys_of(ChannelConfig)}
    own = [key for key in config.keys(kind.code) if key != usual.get(key["key"])]
    supported = [
        ("messages from phones", _yes(told.receives)),
        ("delivery reports", _yes(told.receipts)),
        ("media", told.media),
        ("callbacks proven by", told.proof or "-"),
        ("opt-out told by", told.optout),
        ("longest part", f"{told.longest} characters" if told.longest.isdigit() else told.longest),
        ("messages from names", "as `alphanumeric_mo` says" if kind.names else "where `alphanumeric_mo` is deliver"),
        ("documentation", f"<{told.link}>" if told.link else "none public is known"),
    ]
    return (
        f"# {kind.name} (`{kind.code}`)\n\n{_linked(_docstring(kind))}\n\n{inspect.getdoc(kind)}\n\n"
        f"{_table(('', ''), supported if told.receives else supported[:-2] + supported[-1:])}\n"
        f"## Config\n\n{inspect.getdoc(kind.Config)}\n\n"
        f"{_table(_CONFIG, map(_key, own)) if own else ''}\n"
        f"Besides: [the keys of every type](README.md#keys-of-every-type).\n\n"
        f"## Callbacks\n\n{_callbacks(kind)}"
    )


def _callbacks(kind: type[HttpChannel]) -> str:
    if not kind.routes():
        return "None: this aggregator calls nobody.\n"
    rows = []
    for action, methods in sorted(kind.routes().items(), key=lambda one: one[0] != "receive"):
        told = inspect.getdoc(getattr(kind, kind._routes[action][methods[0]])) or ""
        url = f"`https://<domain>/c/{kind.code.lower()}/<channel>/{action}`"
        rows.append((url, ", ".join(methods), " ".join(told.split("\n\n")[0].split())))
    token = "; where `secret` is set, `?token=<secret>` follows" if kind.token_in_url else ""
    return (
        f"`jangada channel url <channel>` prints them for one channel{token}.\n\n{_table(('URL', 'method', ''), rows)}"
    )


def _key(key: dict[str, Any]) -> tuple[str, str, str, str, str]:
    default = "" if key["default"] in (None, "", [], {}) else f"`{_json(key['default'])}`"
    kind = "**secret**" if key["secret"] else key["kind"]
    return f"`{key['key']}`", kind, "yes" if key["required"] else "no", default, key["about"]


def _json(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _linked(text: str) -> str:
    """The text with its URLs as links, where they are no part of code."""
    blocks = [
        one if one.startswith("    ") else _LINK.sub(lambda url: f"<{url.group()}>", one) for one in text.split("\n\n")
    ]
    return "\n\n".join(blocks)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
