"""A connection of the check's own: opened in steps, and asked whether the SMSC lives when we want to know it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

from chalicelib import queues
from chalicelib.clock import now_ms
from chalicelib.queues import RefusedBySqs
from chalicelib.records import MoEvent, ReceiptEvent
from smsc_relay.accounts import Account
from smsc_relay.config import Address
from smsc_relay.connection import Connection
from smsc_relay.protocol import (
    Accepted,
    Arrived,
    Conversation,
    Ended,
    Happening,
    Ready,
    Refused,
    Rejected,
    Role,
    Segment,
    Surroundings,
)

_SPARE: Final = 2.0  # s beyond the protocol's own time-out
_DROP: Final = 1.0  # s that a session which the check gives up has to log out

Answer = Callable[[int, Accepted | Rejected | None], None]
Sort = Callable[[Sequence[ReceiptEvent], Sequence[str]], Callable[[ReceiptEvent], bool]]


class Ahead:
    """A conversation whose clock is put forward: what is due after a silence is due at once. A `Conversation`."""

    def __init__(self, inner: Conversation) -> None:
        self._inner = inner
        self._by = 0.0  # s
        self._asking = self._due = False
        self.asked = asyncio.Event()
        self.answered = asyncio.Event()

    def forward(self, seconds: float) -> None:
        """What is said next without having been asked for is the question whether the SMSC lives."""
        self._by += seconds
        self._asking = True

    @property
    def ready(self) -> bool:
        """As the inner one's, like all that follows."""
        return self._inner.ready

    @property
    def in_flight(self) -> int:
        """Submits without an answer so far."""
        return self._inner.in_flight

    def start(self, now: float) -> None:
        """Log in."""
        self._inner.start(now + self._by)

    def receive_data(self, data: bytes, now: float) -> Sequence[Happening]:
        """Octets from the SMSC: those that tell nothing, after a question, are its answer."""
        now += self._by
        found = [*self._inner.receive_data(data, now), *self._inner.catch_up(now)]
        if self.asked.is_set() and not found:
            self.answered.set()
        return found

    def catch_up(self, now: float) -> Sequence[Happening]:
        """Nothing is put off, since what tells nothing is an answer; but for the rest of what is too much at once."""
        return self._inner.catch_up(now + self._by) if self._inner.more else ()

    @property
    def more(self) -> bool:
        """There is such a rest."""
        return self._inner.more

    def submit(self, segment: Segment, context: Any, now: float) -> None:
        """Send a segment."""
        self._inner.submit(segment, context, now + self._by)

    def acknowledge(self, token: Any, now: float) -> None:
        """What arrived is safe."""
        self._inner.acknowledge(token, now + self._by)

    def decline(self, token: Any, now: float) -> None:
        """What arrived could not be kept."""
        self._inner.decline(token, now + self._by)

    def leave(self, now: float) -> None:
        """Log out."""
        self._inner.leave(now + self._by)

    def data_to_send(self) -> bytes:
        """Octets for the SMSC."""
        data = self._inner.data_to_send()
        if self._due and data:
            self._asking = self._due = False
            self.asked.set()
        return data

    def next_deadline(self) -> float | None:
        """In the caller's time."""
        due = self._inner.next_deadline()
        return None if due is None else due - self._by

    def tick(self, now: float) -> Sequence[Happening]:
        """Time has passed."""
        found = self._inner.tick(now + self._by)
        self._due = self._asking and not found
        return found

    def connection_lost(self, now: float) -> Sequence[Happening]:
        """The connection is gone."""
        return self._inner.connection_lost(now + self._by)


class Session:
    """One connection. `sort` is told of what comes, and says which receipts are the check's own."""

    def __init__(self, account: Account, role: Role, sort: Sort, answer: Answer) -> None:
        self.role = role
        self._account, self._sort, self._answer = account, sort, answer
        loop = asyncio.get_running_loop()
        around = Surroundings(account.name, now_ms, queues.new_id)
        inner = account.dialect.conversation(account.config, role, loop.time(), around)
        self._ahead = Ahead(inner)
        self._connection = Connection(self._ahead, self._heard)
        self.address: Address = ("", 0)
        self._socket: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        self._login = asyncio.Event()
        self._peer: str | None = None
        self._undecided: list[Arrived] = []
        self._keeping: set[asyncio.Task[None]] = set()
        self.refused: Refused | None = None
        self.ended: Ended | None = None

    # --- in steps -----------------------------------------------------------------------------------------------------

    async def connect(self, address: Address) -> tuple[str, float]:
        """TCP; answers our address, and s taken.

        Raises:
            OSError: none in time, or refused.
        """
        config, loop = self._account.config, asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(config.connect_timeout):
            found = await loop.getaddrinfo(*address, type=socket.SOCK_STREAM)
            family, kind, protocol, _, where = found[0]
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setblocking(False)
                if config.local_host:
                    sock.bind((config.local_host, 0))
                await loop.sock_connect(sock, where)
            except BaseException:
                sock.close()
                raise
        self._socket, self.address = sock, address
        return str(sock.getsockname()[0]), loop.time() - began

    async def start(self) -> str:
        """TLS where it is wanted, then the login goes out; answers what was agreed on, "" for plain TCP.

        Raises:
            ssl.SSLError, OSError: no TLS.
        """
        tls, loop = self._account.tls, asyncio.get_running_loop()
        name = self._account.config.tls_server_name or self.address[0]
        async with asyncio.timeout(self._account.config.connect_timeout):
            self._transport, _ = await loop.create_connection(
                lambda: self._connection, sock=self._socket, ssl=tls, server_hostname=name if tls else None
            )
        if tls is None:
            return ""
        agreed: ssl.SSLObject = self._transport.get_extra_info("ssl_object")
        return f"{agreed.version()}, {(agreed.cipher() or ('',))[0]}"

    async def logged_in(self) -> str | None:
        """What the SMSC calls itself; None: it has not accepted the login (`refused`, `ended`)."""
        await _within(self._login.wait(), self._account.config.login_timeout + _SPARE)
        return self._peer

    async def ask(self, silence: float, seconds: float) -> bool:
        """Ask now what is asked after so much `silence`; False where nothing goes out."""
        self._ahead.forward(silence)
        self._connection.flush()  # which looks at the deadlines anew
        return await _within(self._ahead.asked.wait(), seconds)

    async def answered(self, seconds: float) -> float | None:
        """s until that was answered."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        return loop.time() - began if await _within(self._ahead.answered.wait(), seconds) else None

    def submit(self, segment: Segment, context: int) -> bool:
        """Send a segment; False where the session has ended."""
        if not self._ahead.ready:
            return False
        self._ahead.submit(segment, context, asyncio.get_running_loop().time())
        self._connection.flush()
        return True

    async def over(self) -> Ended:
        """The end, when it comes."""
        return await asyncio.shield(self._connection.over)

    async def end(self, seconds: float = _DROP) -> str:
        """Log out, and close; answers how it went."""
        if self._transport is None:
            if self._socket is not None:
                self._socket.close()
            return ""
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=seconds)
        first = self.ended
        self._connection.leave()
        answered = first is None and await _within(self.over(), seconds)
        self._transport.abort()
        if first is not None:
            return f"over already: {first.reason}"
        return "answered" if answered else "not answered; closed"

    # --- what comes ---------------------------------------------------------------------------------------------------

    def _heard(self, happenings: Sequence[Happening]) -> None:
        for one in happenings:
            match one:
                case Ready():
                    self._peer = one.peer
                    self._login.set()
                case Refused():
                    self.refused = one
                case Accepted() | Rejected():
                    self._answer(one.context, one)
                case Arrived():
                    self._undecided.append(one)
                case Ended():
                    self.ended = one
                    self._login.set()
                case _:  # time-outs leave a submit without an answer; the rest is said in the log of the relay
                    pass
        # A receipt may be here before the answer that names its message.
        if self._undecided and not self._ahead.in_flight:
            arrived, self._undecided = self._undecided, []
            for each in arrived:
                task = asyncio.get_running_loop().create_task(self._settle(each))
                self._keeping.add(task)
                task.add_done_callback(self._keeping.discard)

    async def _settle(self, arrived: Arrived) -> None:
        """Keep what is not the check's own, then acknowledge."""
        receipts = [one for one in arrived.events if isinstance(one, ReceiptEvent)]
        senders = [one.message.sender for one in arrived.events if isinstance(one, MoEvent)]
        ours = self._sort(receipts, senders)
        rest = [one for one in arrived.events if isinstance(one, MoEvent) or not ours(one)]
        try:
            await asyncio.to_thread(_keep, rest)
        except Exception:  # whatever it is, the SMSC still has it and sends it again
            self._connection.decline(arrived.token)
        else:
            self._connection.acknowledge(arrived.token)


def _keep(events: Sequence[MoEvent | ReceiptEvent]) -> None:
    """Into events.fifo; what SQS calls invalid goes to its DLQ, as with the relay."""
    for event in events:
        entry = queues.event_entry(event)
        try:
            queues.send(queues.EVENTS, entry)
        except RefusedBySqs as refusal:
            queues.bury(queues.EVENTS, entry.body, queues.digest(entry.group), str(refusal))


async def _within(event: Any, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event
    except TimeoutError:
        return False
    return True
