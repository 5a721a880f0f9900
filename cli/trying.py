"""`jangada channel test`: one message the deployed way, followed to its end; or the requests that it would make.

A message goes into outbound.fifo, as the platform's do, so that queues, functions, settings and secrets are tried with
it. Its id is one that the platform has never given: what it is told of the message it will refuse, once.
"""

from __future__ import annotations

import argparse
import contextlib
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from chalicelib.transport import Http
from cli import output
from cli.output import Problem, clock

if TYPE_CHECKING:
    import requests

    from chalicelib.messages import Outgoing
    from chalicelib.registry import Channel

LATE: Final = 10.0  # seconds that the trace may be written after the ledger, if it is not lost
_LAST: Final = frozenset({"wired", "refused", "expired", "buried"})  # hops that tell how it ended


def run(channel: str, options: argparse.Namespace) -> None:
    """Send, or show what would be sent.

    Raises:
        Problem: it cannot be sent, has not been accepted, or nobody knows after `--timeout`.
    """
    from chalicelib import registry

    one = registry.channel(channel)
    message = _message(one, options)
    if options.dry_run:
        _show_requests(one, message)
    else:
        _send(one, message, options.timeout)


def _message(one: Channel, options: argparse.Namespace) -> Outgoing:
    from chalicelib import phones
    from chalicelib.messages import Outgoing

    try:
        to = phones.normalise_sender(options.to, one.country)
    except phones.NotAPhoneNumber as error:
        raise Problem(f"--to {options.to}: {error}; write it as +256700123123") from None
    values = {"id": str(uuid.uuid4()), "to": to, "from": one.address, "text": options.text, "channel": one.uuid,
              "attachments": options.attachment}  # fmt: skip
    return Outgoing.model_validate(values)


# --- for real -------------------------------------------------------------------------------------------------------


def _send(one: Channel, message: Outgoing, seconds: float) -> None:
    from chalicelib import queues
    from cli import why

    body = message.model_dump_json(by_alias=True, exclude_defaults=True)
    queues.send(queues.OUTBOUND, queues.Entry(body, queues.digest(message.to), queues.digest(message.key)))
    output.note(f"message {message.key} is in {queues.OUTBOUND}")
    status, hops = _follow(one.uuid, message.key, seconds)
    if not status and not hops:
        raise Problem(f"nobody has taken it out of {queues.OUTBOUND} in {seconds:g} s: are the functions deployed?")
    why.why(argparse.Namespace(id=message.key, external=(), channel=one.uuid, bodies=True, json=False))
    if status in ("", "queued"):
        raise Problem(f"no outcome in {seconds:g} s; later: `jangada why {message.key}`")
    if status in ("failed", "buried"):
        raise Problem(f"it has not been accepted: {status}")


def _follow(channel: str, message_id: str, seconds: float) -> tuple[str, list[dict[str, Any]]]:
    """Tell the hops as they come, until the message is accepted, failed or buried, or the time is over.

    Answers its status, "" where there is none yet, and its hops.
    """
    from chalicelib import ledger, trace

    deadline = time.monotonic() + seconds
    told = 0
    concluded = 0.0
    while True:
        state = ledger.get(channel, message_id)
        hops = trace.read(message_id)
        for hop in hops[told:]:
            output.note(f"{clock(int(hop['at']))} {hop['hop']}")
        told = len(hops)
        names = {str(hop["hop"]) for hop in hops}
        status = "buried" if "buried" in names else state.overall().value if state else ""
        now = time.monotonic()
        if status not in ("", "queued"):
            concluded = concluded or now
            if names & _LAST or now - concluded > LATE:
                return status, hops
        if now > deadline:
            return status, hops
        _wait()


def _wait() -> None:
    time.sleep(0.5)


# --- dry ------------------------------------------------------------------------------------------------------------


class Recorder(Http):
    """A transport that records what it is asked to send, and sends nothing.

    Every request fails as if there were no connection. A type that needs a token first is given a stand-in for it.
    """

    def _connections(self) -> requests.Session:
        return _refusing()

    def token(self, key: str, fetch: Callable[[], tuple[str, float]], *, refused: str = "") -> str:
        """Have the request for the token recorded."""
        from chalicelib.outcomes import NotAccepted

        with contextlib.suppress(NotAccepted):
            fetch()
        return "TOKEN"


def _refusing() -> requests.Session:
    import requests

    class Refuse(requests.adapters.BaseAdapter):
        def send(self, *_: Any, **__: Any) -> requests.Response:
            raise requests.ConnectionError("dry run")

        def close(self) -> None:
            pass

    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, Refuse())
    return session


def _show_requests(one: Channel, message: Outgoing) -> None:
    from chalicelib import channels, registry
    from chalicelib.outcomes import NotAccepted, Permanent
    from chalicelib.settings import settings

    if registry.aggregator(one.aggregator).is_smsc:
        raise Problem(f"{one.type} makes no requests: send for real, without --dry-run")
    kind = channels.make(one, registry.settings_of(one), settings().callback_base)
    try:
        parts = kind.plan(message)
    except Permanent as refusal:
        raise Problem(f"such a message is refused before anything is sent: {refusal}") from None
    shown = 0
    for part in parts:
        http = Recorder(kind.secrets(), allow_private=True)
        try:
            kind.send(part, http)
        except NotAccepted as refusal:
            if not http.exchanges:
                raise Problem(f"part {part.index + 1} is refused before anything is sent: {refusal}") from None
        for exchange in http.exchanges:
            if shown:
                print()
            shown += 1
            print(f"# part {part.index + 1} of {part.total}: {exchange['method']} {output.plain(exchange['url'])}")
            for line in exchange["request"].rstrip("\r\n").splitlines():
                print(output.plain(line))
    output.note("nothing has been sent (--dry-run); what follows may depend on the answers")
