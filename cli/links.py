"""`jangada smsc status`: how the links are, as the relay's tasks have written it down."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from cli import output
from cli.output import Problem, moment, span

if TYPE_CHECKING:
    from chalicelib.canaries import Last
    from chalicelib.registry import Aggregator
    from smsc_relay.status import LinkStatus

_HEADS: Final = ("link", "task", "state", "binds", "window", "rate", "p50", "p99", "throttled", "reconnects", "waiting",
                 "said")  # fmt: skip


def arguments(commands: Any) -> None:
    """`status` among the actions of `jangada smsc`."""
    one = commands.add_parser("status", help="binds, window, rate and last error of every link, in every relay task")
    one.add_argument("link", nargs="?", default="", metavar="LINK", help="an SMSC aggregator; with every bind of it")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=status)
    one = commands.add_parser("unmatched", help="receipts that fit no message so far, as `jangada unmatched`")
    one.add_argument("aggregator", metavar="LINK")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=unmatched)


def unmatched(options: argparse.Namespace) -> None:
    """Receipts that wait for a message with their id."""
    from cli import misc

    account(options.aggregator)
    misc.unmatched(options)


def account(name: str) -> Aggregator:
    """The SMSC account `name`.

    Raises:
        Problem: there is none, or it is served by no relay.
    """
    from chalicelib import registry
    from cli.kinds import meant

    smscs = {one.name: one for one in registry.aggregators() if one.is_smsc}
    if name not in smscs:
        known = f"; {meant(name, smscs)}" if smscs else ": no SMSC account is registered"
        raise Problem(f"no SMSC account {name}{known}")
    return smscs[name]


def status(options: argparse.Namespace) -> None:
    """A line for each link and task; what is missing is said."""
    from chalicelib import registry
    from chalicelib.clock import now_ms
    from smsc_relay.status import present, read

    accounts = [account(options.link)] if options.link else [one for one in registry.aggregators() if one.is_smsc]
    found: dict[str, list[LinkStatus]] = {one.name: [] for one in accounts}
    for one in read(options.link):
        found.setdefault(one.link, []).append(one)  # a link may still run whose account is no longer registered
    now = now_ms()
    shown = {name: present(said, now) for name, said in found.items()}
    if options.json:
        output.as_json([_plain(name, shown[name], found[name], now) for name in found])
        return
    rows = [_row(one, waiting, now) for name, said in shown.items() for waiting in [_depth(name)] for one in said]
    output.table(_HEADS, rows, "" if shown else "no SMSC account is registered")
    for name in found:
        for line in _remarks(name, shown[name], found[name], now):
            print(line)
    if options.link:
        _binds(shown[options.link], now)


def _row(one: LinkStatus, waiting: str, now: int) -> tuple[Any, ...]:
    silent = one.silent(now)
    wanted = "" if one.allowed is None else f" of {one.allowed:g}"
    return (
        one.link,
        one.task[:8],
        "silent" if silent else one.state,
        f"{one.up}/{len(one.binds)}",
        f"{one.in_flight}/{one.window}",
        f"{one.actual:g}/s{wanted}",
        "" if one.p50 is None else f"{one.p50:g} ms",
        "" if one.p99 is None else f"{one.p99:g} ms",
        one.throttled,
        one.reconnects,
        waiting,
        f"{span(now - one.at)} ago",
    )


def _depth(link: str) -> str:
    """Messages in the lanes of a link: replies + bulk."""
    from smsc_relay.status import waiting

    return " + ".join("?" if one is None else str(one) for one in waiting(link))


def _remarks(name: str, shown: list[LinkStatus], said: list[LinkStatus], now: int) -> Iterable[str]:
    """What a person must know beyond the table."""
    from chalicelib import canaries

    here = [one for one in shown if not one.silent(now)]
    if not here:
        yield f"{name}: {_nobody(said, now)}"
    for one in shown:
        if one.silent(now):
            yield (
                f"{name}: task {one.task[:8]} has said nothing for {span(now - one.at)}: it was killed, or cannot reach"
                " DynamoDB"
            )
        if one.paused_until > now:
            yield f"{name}: paused until {moment(one.paused_until)}: {one.error}"
        elif one.error and not one.silent(now):
            yield f"{name}: last error {span(now - one.error_at)} ago: {one.error}"
        if one.pdu_log_until > now:
            yield f"{name}: PDUs are logged until {moment(one.pdu_log_until)}"
    canary = canaries.last(name)
    if canary is not None:
        yield f"{name}: {_canary(canary, now)}"


def _canary(one: Last, now: int) -> str:
    """The last canary of an SMSC."""
    took = f" in {one.delivered_at - one.sent_at} ms" if one.delivered_at else ""
    said = {
        "": "is on its way" if not one.delivered_at else f"was delivered{took}, its answer is waited for",
        "delivered": f"was delivered{took}",
        "failed": f"has failed: {one.why}" + (f"; {one.failing} in a row" if one.failing > 1 else ""),
        "skipped": f"was given up: {one.why}",
    }[one.verdict]
    return f"canary {one.id}, sent {span(now - one.sent_at)} ago, {said}"


def _nobody(said: list[LinkStatus], now: int) -> str:
    if not said:
        return "no relay has written anything of it within a day: is one running, and does its --only name it?"
    last = said[0]
    how = "the last task has ended" if last.state == "stopped" else "the last task did not say that it ends"
    return f"no relay has written for {span(now - last.at)}; {how}"


def _binds(shown: list[LinkStatus], now: int) -> None:
    rows = [
        (one.task[:8], b.bind, b.state, f"{moment(b.since)}, {span(now - b.since)}", f"{b.in_flight}/{b.window}",
         b.version, b.reason)
        for one in shown for b in one.binds
    ]  # fmt: skip
    if rows:
        print()
        output.table(("task", "bind", "state", "since", "window", "version", "reason"), rows)


def _plain(name: str, shown: list[LinkStatus], said: list[LinkStatus], now: int) -> dict[str, Any]:
    return {
        "link": name,
        "waiting": _depth(name),
        "tasks": [{**one.model_dump(mode="json"), "silent": one.silent(now)} for one in shown],
        "last_word": said[0].at if said else None,
    }
