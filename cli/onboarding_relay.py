"""`jangada smsc check --relay`: the test phase over the binds that a running relay holds.

What the relay says of the link is read where it writes it down (`smsc_relay/status.py`); what is to be done over its
binds is asked as anything else of it is (`smsc_relay/orders.py`), of the tasks that have one up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cli import asking

if TYPE_CHECKING:
    from smsc_relay.accounts import Account
    from smsc_relay.check_steps import Run, Step, Wishes
    from smsc_relay.orders import Answer, Ask, TrialKind
    from smsc_relay.protocol import Role
    from smsc_relay.status import LinkStatus

SPARE: Final = 5.0  # s that an answer may take on its way, beyond what the SMSC may
_SENT: Final = "Jangada test"


class RelayCheck:
    """One run. `timeout`: s for a task to take an order; `more`: steps that only AWS can tell."""

    def __init__(
        self, name: str, wishes: Wishes, tell: Callable[[Step], None], more: Sequence[tuple[str, Run]], timeout: float
    ) -> None:
        self._name, self._wishes, self._tell, self._more = name, wishes, tell, more
        self._timeout = timeout
        self._account: Account
        self._addresses: tuple[str, ...] = ()
        self._here: list[LinkStatus] = []
        self._windows: list[str] = []
        self._tested: tuple[Ask, str] | None = None

    def run(self) -> bool:
        """Take all steps; answers whether none has failed."""
        from smsc_relay.check_steps import run_steps

        return asyncio.run(run_steps(self._steps(), self._tell))

    def _steps(self) -> Iterator[tuple[str, Run]]:
        from smsc_relay import check_status
        from smsc_relay.check_steps import KEEPALIVE

        yield "configuration", self._configuration
        yield from self._more
        yield "relay", self._relay
        roles = self._account.dialect.roles(self._account.config)
        for role in roles:
            of = f" ({role.value})" if len(roles) > 1 else ""
            for step in (check_status.TCP, check_status.TLS, check_status.BIND):
                yield f"{step}{of}", partial(self._told, step, role)
        yield KEEPALIVE, self._keepalive
        yield "window", self._window
        yield "test MT", self._mt
        yield "its receipt", self._receipt
        yield "test MO", self._mo

    # --- what is written down -----------------------------------------------------------------------------------------

    def _configuration(self) -> str:
        from smsc_relay import check

        self._account, config = check.account_of(self._name)
        self._addresses = check.addresses_of(self._name)
        channels = f"channels {', '.join(self._addresses)}" if self._addresses else "no channel yet"
        return f"{self._account.dialect.name} to {config.host}:{config.port}, {channels}"

    def _relay(self) -> str:
        from chalicelib.clock import now_ms
        from smsc_relay import check_status, status

        self._here = check_status.serving(self._name, status.read(self._name), now_ms())
        return "; ".join(f"task {one.task[:8]}: {one.state}, {one.up}/{len(one.binds)} binds" for one in self._here)

    def _told(self, step: str, role: Role) -> str:
        from smsc_relay import check_status

        return check_status.told(step, self._account, role, self._here)

    # --- what is asked ------------------------------------------------------------------------------------------------

    def _order(self, kind: TrialKind, task: str, **fields: Any) -> tuple[Ask, str]:
        """Ask a task; the question, and how it is stored."""
        from chalicelib import queues
        from chalicelib.clock import now_ms
        from smsc_relay import orders

        blank = {"channel": "", "external_id": "", "source": "", "destination": ""}
        until = now_ms() + round(1000 * self._timeout)
        ask = orders.Ask(
            **{"id": queues.new_id(), "link": self._name, "kind": kind, "until": until, "task": task, **blank, **fields}
        )
        return ask, orders.put(ask)

    def _answer(self, order: tuple[Ask, str], seconds: float, *, first: bool = False) -> Answer:
        """The answer, or (`first`) what is known so far. `seconds`: that it may take once a task has the question.

        Raises:
            Stop: none in time.
        """
        from smsc_relay import orders
        from smsc_relay.check_faults import US, Stop

        ask, body = order
        found: list[Answer] = []

        def answered() -> bool:
            answer = orders.answer_to(ask.id)
            if answer is not None and (first or not answer.more):
                found.append(answer)
            return bool(found)

        end = time.monotonic() + self._timeout
        while not asking.wait(answered, 0) and body in orders.read().asks and time.monotonic() < end:
            time.sleep(asking.LOOK)
        if found:
            return found[0]
        if orders.take(body):
            raise Stop(
                f"task {ask.task[:8]} has not taken the order in {self._timeout:g} s",
                f"does it still run, and can it reach DynamoDB? `jangada smsc status {self._name}`; `orders_not_read` "
                "in its log says what is wrong",
                US,
            )
        if asking.wait(answered, seconds + SPARE):
            return found[0]
        raise Stop(
            f"task {ask.task[:8]} has taken the order and not answered",
            "has it ended meanwhile, or is it of a version without `check --relay`? "
            f"`jangada smsc status {self._name}`, and `jangada smsc log {self._name} --on 5m` for what is said",
            US,
        )

    def _holders(self, *, submitting: bool = False) -> list[str]:
        """Tasks that have a bind up."""
        from smsc_relay.protocol import Role

        def holds(one: LinkStatus) -> bool:
            return any(bind.state == "up" and (not submitting or Role(bind.role).submits) for bind in one.binds)

        return [one.task for one in self._here if holds(one)]

    def _keepalive(self) -> str:
        from smsc_relay.check_faults import AGGREGATOR, Skip, Stop

        if not self._account.config.keepalive:
            raise Skip("keepalive is 0: the SMSC is never asked")
        pending = [self._order("probe", task) for task in self._holders()]
        answers = [self._answer(order, self._account.config.response_timeout) for order in pending]
        problems = [answer.problem for answer in answers if answer.problem]
        if problems:
            raise Stop(
                f"asked, and: {'; '.join(problems)}",
                "ask whether these requests are answered on this account; if not, set keepalive: 0",
                AGGREGATOR,
            )
        said = [(name, took) for answer in answers for name, took in sorted(answer.said.items())]
        self._windows = [took for name, took in said if name == "window"]
        return "; ".join(f"{name}: {took}" for name, took in said if name != "window")

    def _window(self) -> str:
        from smsc_relay.check_faults import Skip

        if not self._windows:
            raise Skip("no task was asked over a bind that submits")
        return "; ".join(f"{one} in use" for one in self._windows)

    def _mt(self) -> str:
        from chalicelib import registry
        from smsc_relay import check_faults, dialects
        from smsc_relay.check_faults import US, Skip, Stop
        from smsc_relay.protocol import Ended, Rejected, Verdict

        holders, wishes, config = self._holders(submitting=True), self._wishes, self._account.config
        if not wishes.to:
            raise Skip("no number to send to: --to")
        if not holders:
            raise Skip("this account only receives")
        source = wishes.sender or (self._addresses[0] if self._addresses else "")
        channel = next((one.uuid for one in registry.channels_of(self._name) if one.address == source), "")
        wait = 0.0 if getattr(config, "receipts", "all") == "none" else wishes.wait_receipt
        order = self._order(
            "test", holders[0], channel=channel, source=source, destination=wishes.to, text=_SENT, wait=wait
        )
        answer = self._answer(order, 2 * config.response_timeout, first=True)  # for room in the window, and the answer
        said = answer.said
        if answer.problem:
            frozen = f"`jangada thaw {self._name}`; " if "frozen" in answer.problem else ""
            ask = f"{frozen}see `jangada smsc status {self._name}`, and whether --from is a sender that is agreed on"
            raise Stop(answer.problem, ask, US)
        if "refused" in said:
            refusal = Rejected(None, Verdict(said["verdict"]), said["refused"], said["code"], 0.0)
            raise check_faults.rejected(refusal, dialects.advice_of(self._account.dialect.name))
        if "unanswered" in said:
            ended = Ended("while the answer was due") if said["unanswered"] == "ended" else None
            raise check_faults.not_all_answered(0, 1, ended)
        self._tested = order
        return f"accepted as {said['external_id']} in {said['ms']} ms, over a bind of task {holders[0][:8]}"

    def _receipt(self) -> str:
        from chalicelib.messages import Status
        from smsc_relay import check_faults
        from smsc_relay.check_faults import AGGREGATOR, Skip, Stop

        if self._tested is None:
            raise Skip("there is no test MT")
        if not self._tested[0].wait:
            raise Skip("receipts is none: none is asked for")
        self._waiting("its receipt", f"waiting {self._wishes.wait_receipt:g} s")
        answer = self._answer(self._tested, self._wishes.wait_receipt)
        if "receipt" not in answer.said:
            raise check_faults.no_receipt(self._wishes.wait_receipt, 0, len(self._here))
        status = answer.said["receipt"]
        if status == Status.FAILED.value:
            told = answer.said.get("reason")
            raise Stop(
                f"the receipt says: failed{f' ({told})' if told else ''}",
                "is the phone on, and in the network that this account reaches? Then ask what the code means",
                AGGREGATOR,
            )
        return f"{status}, the id is that of the answer"

    def _mo(self) -> str:
        from smsc_relay import check_faults
        from smsc_relay.check_faults import Skip
        from smsc_relay.protocol import Role

        wait = self._wishes.wait_mo
        if not wait:
            raise Skip("none is waited for: --wait-mo SECONDS")
        if all(role is Role.TRANSMITTER for role in self._account.dialect.roles(self._account.config)):
            raise Skip("this account only sends")
        to = " or ".join(self._addresses) or "our number"
        pending = [self._order("listen", task, wait=wait) for task in self._holders()]
        for order in pending:
            self._answer(order, 0, first=True)
        self._waiting("test MO", f"send a message from a phone to {to} within {wait:g} s")
        end = time.monotonic() + wait
        senders: list[str] = []

        def heard() -> bool:
            from smsc_relay import orders

            answers = [orders.answer_to(ask.id) for ask, _ in pending]
            senders.extend(one.said["from"] for one in answers if one and "from" in one.said)
            return bool(senders) or all(one is not None and not one.more for one in answers)

        asking.wait(heard, end - time.monotonic() + SPARE)
        if not senders:
            raise check_faults.no_mo(wait, to, 0)
        return f"from {senders[0]}; it goes on to the platform, as every MO"

    def _waiting(self, name: str, what: str) -> None:
        from chalicelib.clock import iso, now_ms
        from smsc_relay.check_steps import Step

        self._tell(Step(name, "waiting", what, at=iso(now_ms())))
