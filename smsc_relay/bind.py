"""One bind: kept up by connecting, logging in, and beginning anew after a wait that fits what went wrong."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, closing, contextmanager, suppress
from math import inf
from typing import TYPE_CHECKING, Any, Final

from chalicelib import queues, telemetry
from smsc_relay.accounts import Account
from smsc_relay.connecting import Unconnected, Way, take
from smsc_relay.connection import Connection
from smsc_relay.gate import Gate
from smsc_relay.logins import Logins
from smsc_relay.owner import Owner
from smsc_relay.pdu_log import PduLog
from smsc_relay.permits import Claim, Permits
from smsc_relay.protocol import Ended, Fault, Happening, Ready, Refused, Role, Surroundings
from smsc_relay.retry import wait_after
from smsc_relay.status import BindStatus
from smsc_relay.steady import now_ms

if TYPE_CHECKING:
    from smsc_relay.jobs import Job, Part

UNRECORDED: Final = 50  # outcomes on their way to SQS that a bind with a small window may have
STEADY: Final = 10.0  # s that a login must hold to count as a success: some SMSCs log in and drop
GIVE_UP: Final = 30.0  # s that both sides have to answer what is open before a bind is given to another task
CALL_WAITS: Final = 5.0  # s that an SMSC's call may wait for the bind's lease; then the SMSC is to call again


class Bind:
    """One connection of a link, with the segments that wait for it. `number`: of those of its role, from 1. `gate`:
    where the SMSC opens it; None: we do. `common`: what the connections of the link know together."""

    def __init__(
        self,
        number: int,
        role: Role,
        account: Account,
        owner: Owner,
        permits: Permits,
        logins: Logins,
        gate: Gate | None = None,
        common: dict[str, Any] | None = None,
    ) -> None:
        self.role = role
        self._gate, self._common = gate, {} if common is None else common
        self._call: socket.socket | None = None  # of the SMSC
        self._blamed = False  # the peer's fault has been told already
        self._claim = Claim(account.name, role.value, number, account.config.binds)
        self.name = self._claim.bind
        self._account, self._owner, self._permits, self._logins = account, owner, permits, logins
        self.connection: Connection | None = None
        self.state = "down"  # for people: down, standby, awaiting, connecting, logging in, up, waiting, refused
        self.since = now_ms()
        self.reason = ""  # of the last end
        self._version = ""  # of the protocol, as the SMSC said at the last login
        self._code = ""  # of the last end, where it was a refusal
        self._failures = 0
        self.logged_until = 0
        self._refused: Refused | None = None
        self._up_at = 0.0
        self.trouble_since: float | None = None  # of the event loop's clock: it could be up, and is not
        self._must_go = asyncio.Event()  # the bind is to be another's
        self._connecting: asyncio.Timeout | None = None
        self._way = Way()
        # What the link's traffic has on it:
        self._granted = 0  # by the SMSC, where it is less than the account's window
        self._widen()
        self.unrecorded = 0  # answers whose outcome is not in SQS yet
        self.queue: deque[Job] = deque()  # begun, with segments to submit
        self.again: deque[Part] = deque()  # throttled segments whose time has come
        self.jobs: set[Job] = set()  # begun on it and not concluded

    def change(self, account: Account) -> None:
        """The account is like this from now on, and a connection that is open stays open."""
        self._account = account
        self._widen()

    def _widen(self) -> None:
        window = self._account.config.window
        self.window = min(window, self._granted or window)
        self.most_unrecorded = max(self.window, UNRECORDED)

    @property
    def ready(self) -> bool:
        """Segments may be submitted over it."""
        connection = self.connection
        if connection is None or self._must_go.is_set() or not self.role.submits:
            return False
        return connection.open and connection.conversation.ready

    @property
    def in_flight(self) -> int:
        """Submits without an answer so far."""
        return self.connection.conversation.in_flight if self.connection is not None else 0

    @property
    def room(self) -> int:
        """Segments that may be submitted now: within the window, and while enough outcomes are safe."""
        connection = self.connection
        if connection is None or not self.ready or connection.blocked or self.unrecorded >= self.most_unrecorded:
            return 0
        return self.window - connection.conversation.in_flight

    # --- keeping it up ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep it up until cancelled. Cancelled while it is up, it drops the connection: let it `leave` before."""
        while True:
            if self._must_go.is_set():
                self._must_go.clear()
                self.trouble_since = None
            self._become("standby", self.reason)
            try:
                async with AsyncExitStack() as held:
                    if not await self._hold(held):
                        continue
                    delay = await self._once()
                    while self._refused is not None:  # by an SMSC that we reach: another task's try would be one more
                        delay = await self._sit_out(delay)
                        if self._must_go.is_set() or self._gate is not None:
                            break
                        delay = await self._once()
            except Exception:
                telemetry.logger().exception("relay_fault", extra={"aggregator": self._account.name})
                self._logins.done(self)
                self._become("waiting", "a fault of ours, relay_fault in the log")
                delay = self._account.config.reconnect_max
            await asyncio.sleep(delay)

    async def _hold(self, held: AsyncExitStack) -> bool:
        """Wait for the permit, after the SMSC's call where it calls; answers whether the bind may be opened."""
        if self._gate is None:
            await held.enter_async_context(self._permits.hold(self._claim, self, self._failures))
            return True
        self._become("awaiting", self.reason)
        self._call = held.enter_context(closing(await self._gate.call()))
        try:
            async with asyncio.timeout(CALL_WAITS):
                await held.enter_async_context(self._permits.hold(self._claim, self, 0))
        except TimeoutError:
            self._owner.fault("a call while another task has the bind")
            return False
        return True

    async def _sit_out(self, delay: float) -> float:
        """Keep the bind from others meanwhile, unless it must go; answers what is left to wait."""
        loop = asyncio.get_running_loop()
        end = loop.time() + delay
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._must_go.wait()
        return max(0.0, end - loop.time())

    async def _once(self) -> float:
        """One connection from beginning to end; answers how long to wait before the next."""
        self._refused = None
        if self._must_go.is_set():
            return 0.0
        self._become("connecting", self.reason)
        try:
            async with asyncio.timeout(None) as self._connecting:
                if self._gate is None:
                    await self._my_turn()
                connection = await self._connect()
        except (TimeoutError, Unconnected) as error:
            self._logins.done(self)
            if self._must_go.is_set():
                return 0.0
            if isinstance(error, TimeoutError):
                raise
            return self._in_vain(error)
        finally:
            self._connecting = None
        self._up_at = 0.0
        try:
            ended = await asyncio.shield(connection.over)
            await connection.gone.wait()  # while the socket is there, the bind is ours
        except asyncio.CancelledError:
            connection.drop()
            await connection.gone.wait()
            raise
        finally:
            self._logins.done(self)
        if self._blamed and not self._up_at and self._refused is None:  # not the SMSC, as far as we know
            self._owner.failed(self, ended.reason)
            return 0.0
        if self._must_go.is_set():
            telemetry.logger().info("bind_given_up", extra={"aggregator": self._account.name, "bind": self.name})
            return 0.0
        lived = asyncio.get_running_loop().time() - self._up_at if self._up_at else 0.0
        self._failures = 0 if lived >= STEADY else self._failures + 1
        return self._wait(ended.reason)

    async def _my_turn(self) -> None:
        while not self._logins.may(self):
            if self._logins.resting:
                self._become("refused", self._logins.reason)
            await self._logins.change(self)
        self._become("connecting", self.reason)

    async def _connect(self) -> Connection:
        """To the SMSC, or take its call."""
        if self._call is not None:
            return await take(self._account, self._call, self._making)
        return await self._way.connect(self._account, self.role, self._making)

    @contextmanager
    def _making(self) -> Iterator[Connection]:
        """A connection that is made meanwhile, or dropped."""
        made = self._new_connection()
        try:
            yield made
        except BaseException:
            self.connection = None
            made.drop()
            raise
        if self.state == "connecting":
            self._become("logging in")

    def _new_connection(self) -> Connection:
        account = self._account
        around = Surroundings(account.name, now_ms, queues.new_id, self._common)
        now = asyncio.get_running_loop().time()
        made = Connection(
            account.dialect.conversation(account.config, self.role, now, around), self._heard, self._owner.caught_up
        )
        made.log, made.called = self._log(), self._gate is not None
        made.asks = account.config.keepalive > 0
        self.connection = made  # before its first octet comes
        self._blamed = False
        return made

    def _in_vain(self, why: Unconnected) -> float:
        """How long to wait after an attempt to connect."""
        if self._gate is not None:  # whoever has called: the SMSC's trouble begins with its login
            self._owner.fault(str(why))
            self._owner.failed(self, str(why))
            return 0.0
        self._failures += 1
        return self._wait(f"no connection: {why}", nobody=not why.reached)

    def _wait(self, reason: str, *, nobody: bool = False) -> float:
        """How long to wait after an end. `nobody`: TCP was not made."""
        now = asyncio.get_running_loop().time()
        if self.trouble_since is None:
            self.trouble_since = now
        refused = self._refused
        lasted = now - self.trouble_since if nobody else inf
        chance = random.random()  # noqa: S311 - spreads load, no secret
        delay = wait_after(self._account.config, self._failures, self._logins.refusals, refused, lasted, chance)
        state = "waiting"
        if self._gate is not None and refused is None:
            delay = 0.0  # it is for the SMSC to try again
        self._code = refused.code if refused is not None else ""
        if refused is not None:
            reason = f"refused: {refused.reason}"
            if not refused.busy:
                state = "refused"
            if refused.credentials and not refused.busy:
                delay = self._logins.resting or delay  # another bind's may have been refused at the same time
                if not self._logins.resting:
                    self._logins.refused(reason, delay)
        self._become(state, reason)
        self._owner.failed(self, reason)
        extra = {"aggregator": self._account.name, "bind": self.name, "reason": reason, "retry_in_s": round(delay, 1)}
        if state == "refused":
            telemetry.logger().error("channel_down", extra=extra)
        else:
            telemetry.logger().warning("bind_down", extra=extra)
        return delay

    def _become(self, state: str, reason: str = "") -> None:
        if (state, reason) != (self.state, self.reason):
            self.state, self.reason, self.since = state, reason, now_ms()

    def leave(self) -> None:
        """Log out, where it is logged in."""
        if self.connection is not None:
            self.connection.leave()

    # --- what its permit says -----------------------------------------------------------------------------------------

    def drop(self) -> None:
        """Close the socket at once: the bind may be another's any moment."""
        self._must_go.set()
        if not self._stop_connecting() and self.connection is not None:
            self.connection.drop()

    def give_up(self) -> None:
        """Submit nothing more, and log out when everything is answered: the bind is to be another's."""
        self._must_go.set()
        if not self._stop_connecting() and self.connection is not None:
            self._owner.retire(self)
            self.connection.leave_when_done(GIVE_UP)

    def shared(self, part: float) -> None:
        """Of all binds like it that are open, this process has that part."""
        self._owner.shared(self, part)

    def _stop_connecting(self) -> bool:
        if self._connecting is None:
            return False
        self._connecting.reschedule(asyncio.get_running_loop().time())
        return True

    # --- for its link -------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what has been submitted."""
        if self.connection is not None:
            self.connection.flush()

    def log_until(self, until: int) -> None:
        """Log the PDUs until then, in ms since the epoch; 0: do not."""
        self.logged_until = until
        connection = self.connection
        if connection is not None and (connection.log.until if connection.log else 0) != until:
            connection.log = self._log()

    def _log(self) -> PduLog | None:
        if self.logged_until <= now_ms():
            return None
        return PduLog(self._account.name, self.name, self._account.dialect, self.logged_until)

    def report(self) -> dict[str, Any]:
        """How it is, for people."""
        return {
            "bind": self.name,
            "state": self.state,
            "since": self.since,
            "reason": self.reason,
            "version": self._version,
            "in_flight": self.in_flight,
            "unrecorded": self.unrecorded,
        }

    def status(self) -> BindStatus:
        """How it is, to be written down."""
        return BindStatus(
            bind=self.name,
            role=self.role.value,
            state=self.state,
            since=self.since,
            reason=self.reason,
            code=self._code if self.reason else "",
            version=self._version,
            in_flight=self.in_flight,
            window=self.window if self.role.submits else 0,
        )

    # --- what is heard ------------------------------------------------------------------------------------------------

    def _heard(self, happenings: Sequence[Happening]) -> None:
        lost: tuple[Any, ...] | None = None
        for one in happenings:
            if isinstance(one, Ready):
                self._on_ready(one)
            elif isinstance(one, Refused):
                self._refused = one
            elif isinstance(one, Fault):
                self._blamed = self._gate is not None
            elif isinstance(one, Ended):
                lost = one.lost
        self._owner.happened(self, happenings)
        if lost is not None:
            self._owner.caught_up()
            self.connection = None
            self._become("down")
            self._owner.down(self, lost)

    def _on_ready(self, ready: Ready) -> None:
        self._up_at = asyncio.get_running_loop().time()
        self._logins.accepted(self)
        self._become("up")
        self._version, self._granted = ready.version, ready.window
        self._widen()
        extra = {"aggregator": self._account.name, "bind": self.name}
        telemetry.logger().info("bind_up", extra={**extra, "version": ready.version})
        if ready.older:
            telemetry.logger().warning("smsc_older", extra={**extra, "reason": ready.older})
        self._owner.up(self)
        self.trouble_since = None
