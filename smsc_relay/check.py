"""The test phase of an SMSC account, step by step: the first thing that fails ends it, and says what to ask of whom.

The same steps for every protocol: what differs is behind the dialect. The check opens connections of its own, beside
those of a relay that runs. What else comes over them is real: MOs, and receipts of other messages, go to events.fifo
as the relay's do, and are acknowledged only when SQS has them.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from chalicelib import phones, queues, registry
from chalicelib.clock import iso, now_ms
from chalicelib.messages import Outgoing, Status
from chalicelib.records import ReceiptEvent
from smsc_relay import accounts, check_faults, dialects, trials
from smsc_relay.accounts import Account
from smsc_relay.check_faults import AGGREGATOR, US, Skip, Stop
from smsc_relay.check_session import Session
from smsc_relay.check_steps import KEEPALIVE, Run, Step, Tell, Wishes, run_steps
from smsc_relay.config import Address
from smsc_relay.protocol import Accepted, CannotEncode, Rejected, Role, Verdict

_ASKED: Final = 5.0  # s in which the question must have left, once it is due
_PARKED: Final = 2.0  # s between two looks at receipts that came over somebody else's connection
_LOGOUT: Final = 2.0  # s more than the SMSC has to answer a logout


class Check:
    """One run. `more`: steps between configuration and network, such as what only AWS can tell."""

    def __init__(self, name: str, wishes: Wishes, tell: Tell, more: Sequence[tuple[str, Run]] = ()) -> None:
        self._name, self._wishes, self._tell, self._more = name, wishes, tell, more
        self._account: Account
        self._changed = asyncio.Event()
        self._sessions: dict[Role, Session] = {}
        self._answers: dict[int, Accepted | Rejected | None] = {}  # of submits by number; None: none in time
        self._sent = 0
        self._receipts: list[ReceiptEvent] = []
        self._mos: list[str] = []  # senders
        self._addresses: tuple[str, ...] = ()

    async def run(self) -> bool:
        """Take all steps; answers whether none has failed."""
        try:
            return await run_steps(self._steps(), self._tell)
        finally:
            for session in self._sessions.values():
                await session.end()

    def _steps(self) -> Iterable[tuple[str, Run]]:
        yield "configuration", self._configuration
        yield from self._more
        roles = self._account.dialect.roles(self._account.config)
        for role in roles:
            of = f" ({role.value})" if len(roles) > 1 else ""
            if self._account.config.listens(role) is not None:
                yield f"bind{of}", partial(self._called, role)
                continue
            session = self._sessions[role] = Session(self._account, role, self._arrived, self._answered)
            yield f"route{of}", partial(self._route, session)
            yield f"TCP{of}", partial(self._tcp, session)
            yield f"TLS{of}", partial(self._tls, session)
            yield f"bind{of}", partial(self._bind, session)
            yield f"{KEEPALIVE}{of}", partial(self._keepalive, session)
        yield "window", self._window
        yield "test MT", self._mt
        yield "its receipt", self._receipt
        yield "test MO", self._mo
        yield "logout", self._logout

    # --- configuration ------------------------------------------------------------------------------------------------

    async def _configuration(self) -> str:
        account, config = await asyncio.to_thread(account_of, self._name)
        # What logs out after silence would be led astray by the clock that the keepalive's step puts forward.
        self._account = replace(account, config=config.model_copy(update={"inactivity": None}))
        self._addresses = await asyncio.to_thread(addresses_of, self._name)
        channels = f"channels {', '.join(self._addresses)}" if self._addresses else "no channel yet"
        return f"{account.dialect.name} to {config.host}:{config.port}, {channels}"

    # --- network ------------------------------------------------------------------------------------------------------

    async def _route(self, session: Session) -> str:
        found = []
        for host, port in self._account.config.addresses(session.role):
            found.append(await self._one_route(host, port))
        return "; ".join(found)

    async def _one_route(self, host: str, port: int) -> str:
        loop = asyncio.get_running_loop()
        try:
            (family, _, _, _, where), *_ = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror:
            raise Stop(
                f"the name {host} is not known here", "write the IP address of the SMSC, which a VPN's names need", US
            ) from None
        with socket.socket(family, socket.SOCK_DGRAM) as probe:  # connecting it sends nothing: it asks for the route
            try:
                if self._account.config.local_host:
                    probe.bind((self._account.config.local_host, 0))
                probe.connect(where)
            except OSError as error:
                raise Stop(
                    f"no way to {host}: {error.strerror}",
                    "see that the address is in vpn.their_networks and applied, and that local_host, if set, is ours",
                    US,
                ) from None
            return f"to {where[0]} from {probe.getsockname()[0]}"

    async def _tcp(self, session: Session) -> str:
        failed: list[tuple[Address, OSError]] = []
        for address in self._account.config.addresses(session.role):
            try:
                local, took = await session.connect(address)
            except OSError as error:
                failed.append((address, error))
                continue
            remark = "".join(f"; but not to {host}:{port}" for (host, port), _ in failed)
            return f"connected to {address[0]}:{address[1]} from {local} in {took * 1000:.0f} ms{remark}"
        address, first = failed[0]
        raise check_faults.no_connection(address, first, self._account.config.connect_timeout)

    async def _tls(self, session: Session) -> str:
        try:
            said = await session.start()
        except (ssl.SSLError, OSError) as error:
            raise check_faults.no_tls(session.address, error, self._account.config.connect_timeout) from None
        if not said:
            raise Skip("tls is false: plain TCP, as inside a VPN")
        return said

    def _called(self, role: Role) -> str:
        listening = self._account.config.listens(role)
        port = listening.port if listening is not None else 0
        raise Skip(f"the SMSC calls the relay on port {port} (outbind): see `jangada smsc status`")

    async def _bind(self, session: Session) -> str:
        loop = asyncio.get_running_loop()
        began = loop.time()
        peer = await session.logged_in()
        if peer is not None:
            called = f", the SMSC calls itself {peer}" if peer else ""
            return f"accepted in {(loop.time() - began) * 1000:.0f} ms{called}"
        if session.refused is None:
            ended = session.ended.reason if session.ended else "no answer"
            raise check_faults.no_login(ended, self._account.config.tls)
        ours = await check_faults.held_by_relay(self._name) if session.refused.busy else 0
        advice = dialects.advice_of(self._account.dialect.name)
        raise check_faults.refused(session.refused, advice, ours)

    async def _keepalive(self, session: Session) -> str:
        config = self._account.config
        if not config.keepalive:
            raise Skip("keepalive is 0: the SMSC is never asked")
        if not await session.ask(config.keepalive, _ASKED):
            raise Skip("this account has nothing to ask with")
        took = await session.answered(config.response_timeout)
        if took is None:
            raise Stop(
                f"asked, and no answer in {config.response_timeout:g} s",
                "ask whether these requests are answered on this account; if not, set keepalive: 0",
                AGGREGATOR,
            )
        return f"answered in {took * 1000:.0f} ms"

    # --- messages -----------------------------------------------------------------------------------------------------

    @property
    def _submitter(self) -> Session:
        found = next((one for role, one in self._sessions.items() if role.submits), None)
        if found is None:
            raise Skip("no connection that we make submits")
        if not self._wishes.to:
            raise Skip("no number to send to: --to")
        return found

    async def _window(self) -> str:
        session, config = self._submitter, self._account.config
        most = min(config.window, self._wishes.burst, int(config.max_tps or config.window))
        if most < 2:
            raise Skip("one at a time: the test MT shows it")
        numbers = [number for nth in range(most) for number in self._submit(session, f"{nth + 1} of {most}")]
        await self._answers_to(session, numbers)
        slow = [one for number in numbers if isinstance(one := self._answers.get(number), Rejected)]
        if session.ended is not None or any(self._answers.get(number) is None for number in numbers):
            raise check_faults.not_all_answered(
                sum(self._answers.get(n) is not None for n in numbers), most, session.ended
            )
        throttled = [one for one in slow if one.verdict is Verdict.THROTTLED]
        if throttled:
            raise check_faults.throttled(len(throttled), most, throttled[0], config)
        return f"{most} submits at once, all answered (window: {config.window})"

    async def _mt(self) -> str:
        session = self._submitter
        numbers = self._submit(session, "test")
        await self._answers_to(session, numbers)
        if not numbers:
            raise check_faults.not_all_answered(0, 1, session.ended)
        for number in numbers:
            answer = self._answers.get(number)
            if answer is None:
                raise check_faults.not_all_answered(0, 1, session.ended)
            if isinstance(answer, Rejected):
                raise check_faults.rejected(answer, dialects.advice_of(self._account.dialect.name))
        self._sent = numbers[0]
        return "; ".join(
            f"accepted as {trials.shown_id(one.external_id, self._wishes.to)} in {one.rtt * 1000:.0f} ms"
            for number in numbers
            if isinstance(one := self._answers[number], Accepted)
        )

    def _submit(self, session: Session, what: str) -> list[int]:
        """Send a test message; answers the numbers of its segments."""
        config, numbers = self._account.config, []
        sender = self._wishes.sender or (self._addresses[0] if self._addresses else "")
        told = {"id": queues.new_id(), "text": f"Jangada {what}", "to": self._wishes.to, "from": sender}
        message = Outgoing.model_validate({**told, "channel": queues.new_id()})
        try:
            plan = self._account.dialect.plan(message, config, 1)
        except CannotEncode as error:
            raise Stop(
                f"the message cannot be written: {error}", "add a channel with the agreed sender, or give --from", US
            ) from None
        for segment in plan.segments:
            number = len(self._answers) + 1
            self._answers[number] = None
            if session.submit(segment, number):
                numbers.append(number)
        return numbers

    async def _answers_to(self, session: Session, numbers: Sequence[int]) -> None:
        """Until each is answered, or nothing can come any more."""
        waiting = self._account.config.response_timeout + 1.0
        await self._until(lambda: session.ended is not None or all(self._answers.get(n) for n in numbers), waiting)

    async def _receipt(self) -> str:
        answer = self._answers.get(self._sent)
        if not isinstance(answer, Accepted):
            raise Skip("there is no test MT")
        if getattr(self._account.config, "receipts", "all") == "none":
            raise Skip("receipts is none: none is asked for")
        loop = asyncio.get_running_loop()
        end = loop.time() + self._wishes.wait_receipt
        self._wait("its receipt", f"waiting {self._wishes.wait_receipt:g} s")
        relay = await check_faults.held_by_relay(self._name)
        while loop.time() < end:
            if await self._until(lambda: self._final(answer) is not None, min(_PARKED, end - loop.time())):
                break
            if all(one.ended for one in self._sessions.values()):
                raise check_faults.over(self._submitter.ended)
            if relay and await asyncio.to_thread(check_faults.parked, self._name, answer.external_id):
                return "it came over a connection of the running relay, where nobody knows the test message: fine"
        found = self._final(answer)
        if found is None:
            raise check_faults.no_receipt(self._wishes.wait_receipt, self._strange(), relay)
        if found.update.status is Status.FAILED:
            told = " ".join(filter(None, (found.update.reason, found.update.code)))
            raise Stop(
                f"the receipt says: failed{f' ({told})' if told else ''}",
                "is the phone on, and in the network that this account reaches? Then ask what the code means",
                AGGREGATOR,
            )
        return f"{found.update.status.value}, the id is that of the answer"

    def _final(self, answer: Accepted) -> ReceiptEvent | None:
        """The final receipt of the test message."""
        for one in self._receipts:
            if one.update.external_id == answer.external_id and one.update.status.final:
                return one
        return None

    def _strange(self) -> int:
        """Final receipts of messages to our number with ids that we have never been told."""
        known = {one.external_id for one in self._answers.values() if isinstance(one, Accepted)}
        updates = [one.update for one in self._receipts if one.update.status.final]
        to = self._wishes.to
        return sum(
            one.external_id not in known and (not one.destination or phones.digits_match(one.destination, to))
            for one in updates
        )

    async def _mo(self) -> str:
        if not self._wishes.wait_mo:
            raise Skip("none is waited for: --wait-mo SECONDS")
        if all(role is Role.TRANSMITTER for role in self._sessions):
            raise Skip("no connection that we make receives")
        to = " or ".join(self._addresses) or "our number"
        self._wait("test MO", f"send a message from a phone to {to} within {self._wishes.wait_mo:g} s")
        ended = self._sessions.values()
        await self._until(lambda: bool(self._mos) or any(one.ended for one in ended), self._wishes.wait_mo)
        if not self._mos:
            raise check_faults.no_mo(self._wishes.wait_mo, to, await check_faults.held_by_relay(self._name))
        return f"from {phones.mask(self._mos[0])}; it goes on to the platform, as every MO"

    async def _logout(self) -> str:
        told = [await one.end(self._account.config.logout_timeout + _LOGOUT) for one in self._sessions.values()]
        return "; ".join(dict.fromkeys(told))

    # --- what comes ---------------------------------------------------------------------------------------------------

    def _answered(self, context: int, answer: Accepted | Rejected | None) -> None:
        self._answers[context] = answer
        self._changed.set()

    def _arrived(self, receipts: Sequence[ReceiptEvent], senders: Sequence[str]) -> Callable[[ReceiptEvent], bool]:
        """Something has come; answers which receipts are ours."""
        self._receipts += receipts
        self._mos += senders
        self._changed.set()
        ours = {one.external_id for one in self._answers.values() if isinstance(one, Accepted)}
        return lambda one: one.update.external_id in ours

    async def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not condition():
            self._changed.clear()
            left = [asyncio.ensure_future(one.over()) for one in self._sessions.values() if one.ended is None]
            changed = asyncio.ensure_future(self._changed.wait())
            done, _ = await asyncio.wait(
                [changed, *left], timeout=max(0.0, end - loop.time()), return_when=asyncio.FIRST_COMPLETED
            )
            for one in (changed, *left):
                one.cancel()
            if not done:
                return condition()
        return True

    def _wait(self, name: str, what: str) -> None:
        self._tell(Step(name, "waiting", what, at=iso(now_ms())))


# --- the registry, in a thread --------------------------------------------------------------------------------------


def account_of(name: str) -> tuple[Account, Any]:
    """The account, and its config.

    Raises:
        Stop: it cannot be served.
    """
    registry.reset()
    try:
        one = registry.aggregator(name)
    except registry.UnknownAggregator:
        fix = f"`jangada smsc new {name}`, then `terraform apply` and `jangada aggregator apply {name}.yaml`"
        raise Stop(f"no account {name} in the registry", fix, US) from None
    except registry.RegistryUnavailable as error:
        raise Stop(f"the registry cannot be read: {error}", "see that AWS answers, and JANGADA_PREFIX", US) from None
    if not one.is_smsc:
        raise Stop(f"{name} is of type {one.type}, not an SMSC account", "`jangada channel test` tries it", US)
    missing = [key for key in one.secrets if key not in registry.secrets(name)]
    if missing:
        raise Stop(f"not given yet: {', '.join(missing)}", f"`jangada smsc secret {name}`", US)
    found = accounts.load([name])
    if name not in found.accounts:
        raise Stop(found.unusable.get(name, "cannot be read"), "correct the file, and apply it again", US)
    return found.accounts[name], found.accounts[name].config


def addresses_of(name: str) -> tuple[str, ...]:
    """Of its channels."""
    return tuple(one.address for one in registry.channels_of(name) if one.enabled)
