"""`jangada why`: one message on one screen: what state it is in, what holds it, and every hop it has made."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cli import output
from cli.output import Problem, clock, moment, span

if TYPE_CHECKING:
    from chalicelib.ledger_items import MessageState
    from cli.whereabouts import Hop, Place

_SILENT = frozenset({"at", "hop", "channel", "exchanges", "until", "cut", "text", "part", "total", "generation"})
_TEXT = 60  # characters of a text that are shown


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command takes."""
    parser.add_argument(
        "id", nargs="?", default="", metavar="ID", help="the platform's message id, or an MO's event id"
    )
    parser.add_argument(
        "--external", nargs=2, default=(), metavar=("AGGREGATOR", "ID"), help="the aggregator's own id of it instead"
    )
    parser.add_argument("--channel", default="", metavar="UUID", help="where several channels have used this id")
    parser.add_argument("--bodies", action="store_true", help="show requests and answers, secrets masked")
    parser.add_argument("--json", action="store_true", help="everything, for a program")
    parser.set_defaults(run=why)


def why(options: argparse.Namespace) -> None:
    """Tell what is known."""
    if bool(options.id) == bool(options.external):
        raise Problem("name the message: `jangada why ID`, or `jangada why --external AGGREGATOR ID`")
    if options.external:
        stories, parked = _by_external_id(*options.external)
    else:
        stories, parked = _stories(options.id, options.channel), []
    if not stories and not parked:
        raise Problem(_unknown(options.id or options.external[1]))
    if options.json:
        output.as_json({"messages": stories, "parked_receipts": parked})
        return
    for number, story in enumerate(stories):
        if number:
            print()
        _show(story, bodies=options.bodies)
    for receipt in parked:
        print(f"parked since {moment(receipt['since'])}: receipt {receipt['status']} for {receipt['external_id']}: no"
              " message has been given this id so far")  # fmt: skip


def _unknown(what: str) -> str:
    from chalicelib import depths, queues

    waiting = []
    for queue in (queues.OUTBOUND, queues.OUTBOUND_BULK):
        found = depths.of(queue)
        if found and found.total:
            waiting.append(f"{found.total} in {queue}")
    where = f"it may be among the {' and '.join(waiting)}" if waiting else "outbound.fifo is empty"
    return f"nothing is known of {what}: {where}; the ledger keeps 35 days, the trace 7; see also `jangada dlq list`"


# --- gathering ------------------------------------------------------------------------------------------------------


def _stories(message_id: str, channel: str = "") -> list[dict[str, Any]]:
    """All that is known under an id: one story a channel."""
    from chalicelib import ledger, registry, trace

    hops = trace.read(message_id)
    told = {str(hop["channel"]) for hop in hops if hop.get("channel")}
    wanted = {channel} if channel else {uuid for uuid in told if len(uuid) == 36}
    candidates = wanted or {one.uuid for one in registry.channels()}
    states = [state for uuid in sorted(candidates) if (state := ledger.get(uuid, message_id))]
    stories = [
        _outgoing(state, [hop for hop in hops if hop.get("channel") in ("", state.key.channel)]) for state in states
    ]
    alone = [hop for hop in hops if hop.get("channel") not in {state.key.channel for state in states}]
    if channel:
        alone = [hop for hop in alone if hop.get("channel") == channel]
    if alone:
        stories.append(_other(message_id, alone))
    return stories


def _outgoing(state: MessageState, hops: list[Hop]) -> dict[str, Any]:
    """The story of an MT."""
    from chalicelib import canaries, freezes, pauses, registry, trace
    from chalicelib.clock import now_ms
    from cli import whereabouts

    now, key = now_ms(), state.key
    for external_id in {part.external_id for part in state.parts.values() if part.external_id} - {key.id}:
        hops = hops + [hop for hop in trace.read(external_id) if hop.get("channel") == key.channel]
    hops = sorted(hops, key=lambda hop: int(hop["at"]))
    try:
        channel = registry.channel(key.channel)
        target, workspace = channel.platform, channel.workspace
    except registry.UnknownChannel:
        target = workspace = ""
    pause = pauses.lane_pause(state.aggregator) if state.aggregator else None
    frozen = freezes.load().holding(state.aggregator, workspace)
    queued = whereabouts.last(hops, "queued", "redriven") or {}
    return {
        "kind": "outgoing",
        "id": key.id,
        "channel": key.channel,
        "aggregator": state.aggregator,
        "generation": key.generation,
        "status": state.overall().value,
        "told_to_platform": state.status.value,
        "destination": state.destination,
        "text": queued.get("text", ""),
        "opened_at": state.opened_at,
        "expires_at": int(queued.get("until") or 0),
        "where": _place(whereabouts.place(state, hops, pause, now, frozen)),
        "platform": None if canaries.owns(key.id) else _place(whereabouts.platform(hops, now, target)),
        "parts": [
            {
                "part": index + 1,
                "total": state.total,
                "state": part.kind,
                "external_id": part.external_id,
                "status": whereabouts.status_of(part.rank),
                "silent": part.silent,
                "reason": part.reason,
                "code": part.code,
                "until": part.until,
            }
            for index, part in sorted(state.parts.items())
        ],
        "hops": list(hops),
    }


def _other(subject: str, hops: Sequence[Hop]) -> dict[str, Any]:
    """The story of an MO or opt-out, or of a message that has not come as far as the ledger."""
    from chalicelib.clock import now_ms
    from cli import whereabouts

    told: dict[str, Any] = {}
    for hop in hops:
        told |= {key: hop[key] for key in ("sender", "text", "external_id", "incomplete") if hop.get(key)}
    arrived = whereabouts.last(hops, "received", "to_platform", "stopped", "part", "duplicate")
    buried = whereabouts.last(hops, "buried")
    return {
        "kind": "incoming" if arrived or not buried else "outgoing",
        "id": subject,
        "channel": next((hop["channel"] for hop in hops if hop.get("channel")), ""),
        **told,
        "where": _place(whereabouts.incoming(hops, now_ms())),
        "hops": list(hops),
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {"holder": place.holder, "why": place.why, "until": place.until, "next_attempt": place.next_attempt}


def _by_external_id(aggregator: str, external_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The stories of what the aggregator calls `external_id`, and receipts for it that fit nothing."""
    from chalicelib import registry, rendezvous, trace

    registry.aggregator(aggregator)
    found = [(submit.key.id, submit.key.channel) for submit in rendezvous.find(aggregator, external_id)]
    found += [
        (str(hop["event_id"]), str(hop["channel"])) for hop in trace.read(trace.external(aggregator, external_id))
    ]
    stories = [story for one in dict.fromkeys(found) for story in _stories(*one)]
    parked = [
        {"external_id": external_id, "status": one.receipt.update.status.value, "since": one.since}
        for one in rendezvous.unmatched(aggregator)
        if one.external_id == external_id
    ]
    return stories, parked


# --- showing --------------------------------------------------------------------------------------------------------


def _show(story: dict[str, Any], *, bodies: bool) -> None:
    outgoing = story["kind"] == "outgoing"
    parts = story.get("parts", [])
    again = f", generation {story['generation']}" if story.get("generation", 1) > 1 else ""
    output.fields(
        [
            ("message" if outgoing else "from a phone", story["id"] + again),
            ("channel", _channel(story["channel"], story.get("aggregator", ""))),
            ("to", story.get("destination", "")),
            ("from", story.get("sender", "")),
            ("text", _short(story.get("text", ""))),
            ("external id", "" if outgoing else story.get("external_id", "")),
            ("state", _state(story)),
            ("where", _where(story["where"])),
            *(("part", _part(part)) for part in parts),
            ("platform", _where(story["platform"]) if story.get("platform") else ""),
            ("incomplete", "yes: some parts never came" if story.get("incomplete") else ""),
        ]
    )
    if not story["hops"]:
        print("\nno hops: the trace keeps 7 days")
        return
    print()
    began = int(story["hops"][0]["at"])
    print(f"{moment(began)[:10]}")
    output.table(("time", "after", "hop", "detail"), _timeline(story["hops"], began, bodies=bodies))


def _channel(uuid: str, aggregator: str) -> str:
    from chalicelib import registry

    try:
        one = registry.channel_for(int(uuid) if uuid.isdigit() else uuid)
    except registry.UnknownChannel:
        return f"{uuid} (not registered)"
    return f"{uuid} ({one.address}, {aggregator or one.aggregator}{'' if one.enabled else ', disabled'})"


def _state(story: dict[str, Any]) -> str:
    if "status" not in story:
        return ""
    expires = f", expires {moment(story['expires_at'])}" if story["status"] == "queued" and story["expires_at"] else ""
    return f"{story['status']}, opened {moment(story['opened_at'])}{expires}"


def _where(where: dict[str, Any]) -> str:
    when = []
    if where["until"] and where["until"] != where["next_attempt"]:
        when.append(f"until {clock(where['until'])}")
    if where["next_attempt"]:
        when.append(f"next attempt about {clock(where['next_attempt'])}")
    return ", ".join(filter(None, (where["holder"], where["why"], *when)))


def _part(part: dict[str, Any]) -> str:
    total = part["total"] or "?"
    told = [part["state"], part["status"] if part["status"] not in ("queued", "") else ""]
    told.append(f"external id {part['external_id']}" if part["external_id"] else "")
    told.append(" ".join(filter(None, (part["reason"], part["code"]))))
    told.append("no receipt asked for" if part["silent"] and part["status"] == "wired" else "")
    return f"{part['part']}/{total} " + ", ".join(filter(None, told))


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 3] + "..."


def _timeline(hops: Iterable[Hop], began: int, *, bodies: bool) -> list[tuple[str, str, str, str]]:
    rows = []
    for hop in hops:
        at = int(hop["at"])
        after = f"+{at - began} ms" if at - began < 60_000 else f"+{span(at - began)}"
        rows.append((clock(at), after, str(hop["hop"]), _detail(hop) or " "))
        for exchange in hop.get("exchanges", ()):
            rows.append((" ", " ", " ", _exchange(exchange)))
            if bodies:
                for arrow, side in ((">", "request"), ("<", "response")):
                    rows += [(" ", " ", " ", f"{arrow} {line}") for line in str(exchange.get(side, "")).splitlines()]
    return rows


def _detail(hop: Hop) -> str:
    told = [f"part {int(hop['part']) + 1}"] if isinstance(hop.get("part"), int) and _several(hop) else []
    for name, value in hop.items():
        if name in _SILENT:
            continue
        words = name.replace("_", " ")
        told.append(f"not before {clock(int(value))}" if name == "not_before" else f"{words} {value}")
    return ", ".join(told)


def _several(hop: Hop) -> bool:
    return int(hop.get("part") or 0) > 0 or int(hop.get("total") or 1) > 1


def _exchange(exchange: Any) -> str:
    took = f" in {exchange['elapsed_ms']} ms" if "elapsed_ms" in exchange else ""
    ended = exchange.get("status") or exchange.get("error") or "no answer"
    return f"{exchange.get('method', '')} {_short_url(str(exchange.get('url', '')))} -> {ended}{took}"


def _short_url(url: str) -> str:
    bare = url.partition("?")[0]
    return bare + ("?..." if bare != url else "")
