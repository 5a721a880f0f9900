"""`jangada smsc query | cancel | replace | log`: what goes to the running relay, and what it answers."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from cli import output
from cli.links import account
from cli.output import Problem, moment

if TYPE_CHECKING:
    from chalicelib.ledger_items import MessageState
    from smsc_relay.orders import Answer, Ask, Kind

LOOK: Final = 0.3  # s between two looks for an answer
_SPANS: Final = {"s": 1, "m": 60, "h": 3600}
_LONGEST: Final = 86_400  # s of a PDU log: forgotten, it would fill the log for ever


def arguments(commands: Any) -> None:
    """These actions of `jangada smsc`."""
    for kind, summary in (
        ("query", "ask the SMSC what has become of a message"),
        ("cancel", "have the SMSC not deliver a message that it still has"),
        ("replace", "give a message that the SMSC still has another text"),
    ):
        one = commands.add_parser(kind, help=summary)
        one.add_argument("id", metavar="ID", help="the platform's id of the message")
        if kind == "replace":
            one.add_argument("--text", required=True, metavar="TEXT")
        one.add_argument("--channel", default="", metavar="UUID", help="where several channels have used this id")
        one.add_argument("--timeout", type=float, default=30, metavar="SECONDS", help="for the answer (default: 30)")
        one.add_argument("--json", action="store_true")
        one.set_defaults(run=ask, kind=kind)
    one = commands.add_parser("log", help="log a link's PDUs for a while: headers, lengths and tags, no text")
    one.add_argument("link", metavar="LINK")
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("--on", type=_seconds, metavar="SPAN", help="90s, 10m or 2h")
    which.add_argument("--off", action="store_true")
    one.add_argument("--timeout", type=float, default=30, metavar="SECONDS", help="for the tasks (default: 30)")
    one.set_defaults(run=log)


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,5})([smh])", text)
    seconds = int(match[1]) * _SPANS[match[2]] if match else 0
    if not 0 < seconds <= _LONGEST:
        raise argparse.ArgumentTypeError("must be a number with s, m or h, and a day at the longest")
    return seconds


# --- about a message ------------------------------------------------------------------------------------------------


def ask(options: argparse.Namespace) -> int:
    """Ask about each part that the SMSC has accepted; 1: it has not done so for every one."""
    from smsc_relay import orders

    state = _message(options.id, options.channel)
    one = account(state.aggregator)
    _check(one.type, options.kind)
    asks = _asks(state, options.kind, getattr(options, "text", ""), options.timeout)
    bodies = [orders.put(ask) for ask in asks]
    found: dict[str, Answer] = {}

    def answered() -> bool:
        for ask in asks:
            answer = found.get(ask.id) or orders.answer_to(ask.id)
            if answer is not None:
                found[ask.id] = answer
        return len(found) == len(asks)

    try:
        wait(answered, options.timeout)
    finally:
        waiting = [ask.id for ask, body in zip(asks, bodies, strict=True) if ask.id not in found and orders.take(body)]
    rows = [_row(state, number, ask, found.get(ask.id), waiting) for number, ask in enumerate(asks)]
    if options.json:
        output.as_json(rows)
    else:
        output.table(("part", "external id", "answer"), [(r["part"], r["external_id"], _said(r)) for r in rows])
    return int(any(row["problem"] for row in rows))


def _message(message_id: str, channel: str) -> MessageState:
    """The message, as the ledger has it."""
    from chalicelib import ledger, registry, trace

    told = {str(hop["channel"]) for hop in trace.read(message_id) if hop.get("channel")}
    candidates = {channel} if channel else told or {one.uuid for one in registry.channels()}
    found = [state for uuid in sorted(candidates) if (state := ledger.get(uuid, message_id))]
    if not found:
        raise Problem(f"nothing is known of message {message_id}; the ledger keeps 35 days")
    if len(found) > 1:
        raise Problem(f"several channels have used {message_id}: name one with --channel "
                      f"{' or '.join(state.key.channel for state in found)}")  # fmt: skip
    return found[0]


def _asks(state: MessageState, kind: Kind, text: str, timeout: float) -> list[Ask]:
    from chalicelib import queues, registry, trace
    from chalicelib.clock import now_ms
    from smsc_relay.orders import Ask

    parts = {index: part for index, part in sorted(state.parts.items()) if part.kind == "accepted" and part.external_id}
    name = state.key.id
    if not parts:
        raise Problem(f"the SMSC has not accepted message {name}, as far as is known: `jangada why {name}`")
    if kind == "replace" and state.total > 1:
        raise Problem(f"message {name} has {state.total} parts; only a message of one part can be replaced")
    hops = trace.read(name)
    written = {(hop.get("part"), hop.get("external_id")): hop.get("smsc_id") for hop in hops if hop["hop"] == "wired"}
    encoding = next((str(hop["encoding"]) for hop in reversed(hops) if hop.get("encoding")), "")
    return [
        Ask(
            id=queues.new_id(),
            link=state.aggregator,
            kind=kind,
            channel=state.key.channel,
            external_id=str(written.get((index, part.external_id)) or part.external_id),
            source=registry.channel(state.key.channel).address,
            destination=state.destination,
            text=text,
            encoding=encoding,
            until=now_ms() + round(1000 * timeout),
        )
        for index, part in parts.items()
    ]


def _check(code: str, kind: Kind) -> None:
    """What the relay would refuse whatever its state is told at once."""
    from smsc_relay import dialects

    if not dialects.load(code).inquires:
        raise Problem(f"{kind} is not offered by this protocol: of the SMSC types only SMPP has it here, not {code}")


def _row(state: MessageState, number: int, ask: Ask, answer: Answer | None, waiting: list[str]) -> dict[str, Any]:
    if answer is not None:
        problem, said = answer.problem, answer.said
    elif ask.id in waiting:
        said = {}
        problem = f"no relay task with a bind of {ask.link} has taken it: is one up? `jangada smsc status {ask.link}`"
    else:
        said = {}
        problem = (f"a relay task has taken it and not answered in time: the SMSC may be slow, or not know "
                   f"{ask.kind}_sm; `jangada smsc log {ask.link} --on 5m` shows what it says")  # fmt: skip
    return {"part": f"{number + 1}/{max(1, state.total)}", "external_id": ask.external_id, **said, "problem": problem}


def _said(row: dict[str, Any]) -> str:
    if row["problem"]:
        return str(row["problem"])
    said = [f"{name} {value}" for name, value in row.items() if name not in ("part", "external_id", "problem")]
    return ", ".join(said) or "done"


def wait(done: Callable[[], bool], seconds: float) -> bool:
    """Look until it is done, no longer than that; answers whether it is."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= end:
            return False
        time.sleep(LOOK)
    return True


# --- the PDU log ----------------------------------------------------------------------------------------------------


def log(options: argparse.Namespace) -> None:
    """Have every task that serves the link log its PDUs, or stop; wait until each has said so."""
    from chalicelib.clock import now_ms
    from smsc_relay import orders, status

    name = account(options.link).name
    until = now_ms() + 1000 * options.on if options.on else 0
    orders.log_until(name, until)

    def left() -> list[str]:
        here = [one for one in status.read(name) if one.state != "stopped" and not one.silent(now_ms())]
        return [one.task[:8] for one in here if one.pdu_log_until != until] or ([] if here else ["none"])

    def done() -> bool:
        return not left()

    if not wait(done, options.timeout):
        tasks = left()
        who = "no relay task serves it" if tasks == ["none"] else f"task {', '.join(tasks)} has not done so yet"
        raise Problem(f"it is written down, but {who}: `jangada smsc status {name}`; a task that comes does it at once")
    print(f"{name}: PDUs are logged until {moment(until)}, as `pdu` in the relay's log" if until else
          f"{name}: PDUs are not logged")  # fmt: skip
