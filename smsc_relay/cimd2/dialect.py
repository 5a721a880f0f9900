"""CIMD2 for the relay: messages as submits, and a conversation for each connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from chalicelib.messages import NO_DATA, Outgoing
from chalicelib.text import with_attachments
from smsc_relay.cimd2 import address, texts, times
from smsc_relay.cimd2.codec import parameters
from smsc_relay.cimd2.config import Cimd2Config
from smsc_relay.cimd2.constants import Report, Tag
from smsc_relay.cimd2.conversation import Cimd2Conversation
from smsc_relay.cimd2.transcript import Cimd2Transcript
from smsc_relay.protocol import (
    CannotEncode,
    Conversation,
    Dialect,
    Inquiry,
    NotOffered,
    Plan,
    Role,
    Segment,
    Surroundings,
    Transcript,
)


class Subaddresses:
    """Which subaddresses of an account are in use: two sessions of one user must have different ones. Another process
    may use some of them, which is noticed when the SMSC refuses: then another one is tried."""

    def __init__(self) -> None:
        self._used: dict[str, list[int]] = {}
        self._refusals: dict[tuple[str, int], int] = {}

    def take(self, account: str, known: Sequence[int]) -> int | None:
        """One that nobody uses, of those the one refused least; None: the account has none."""
        if not known:
            return None
        used = self._used.setdefault(account, [])
        found = min(known, key=lambda one: (used.count(one), self._refusals.get((account, one), 0)))
        used.append(found)
        return found

    def give_back(self, account: str, taken: int | None, *, refused: bool) -> None:
        """It is not used any longer. `refused`: the SMSC has said that somebody else has it."""
        if taken is None:
            return
        self._used[account].remove(taken)
        self._refusals[account, taken] = self._refusals.get((account, taken), 0) + 1 if refused else 0


class Cimd2Dialect:
    """CIMD2, from version 2-A on."""

    def __init__(self) -> None:
        self._subaddresses = Subaddresses()

    @property
    def name(self) -> str:
        """The aggregator type."""
        return "CIMD2"

    def plan(self, message: Outgoing, config: Cimd2Config, reference: int) -> Plan:
        """One submit per segment; its `body` is the parameters. An absolute validity is added when it is submitted.

        Raises:
            CannotEncode: the sender or recipient cannot be written, or the text is too long.
        """
        if message.data:
            raise CannotEncode(NO_DATA)
        found = texts.cut(with_attachments(message.text, message.attachments), config)
        total = len(found.parts)
        if total > config.max_parts:
            raise CannotEncode(f"the text takes {total} segments; max_parts is {config.max_parts}")
        sender = address.sender(message.from_, config)
        before = parameters((Tag.DESTINATION, address.recipient(message.to, config)))
        before += (sender,) if sender else ()
        bodies = [
            (*before, *texts.written(found, config, reference, n), *_rest(config, n, total)) for n in range(total)
        ]
        segments = tuple(
            Segment(index, total, body, silent=config.receipts == "last" and index + 1 < total)
            for index, body in enumerate(bodies)
        )
        return Plan(segments, found.encoding, f"{found.encoding}/{config.long_messages}/{total}")

    @property
    def inquires(self) -> bool:
        """It has no inquiries here."""
        return False

    def inquiry(self, inquiry: Inquiry, config: Cimd2Config) -> Any:
        """No inquiries: the relay does not use the enquiries and cancels of CIMD2."""
        raise NotOffered("not offered by this protocol: the relay does not use the enquiries and cancels of CIMD2")

    def transcript(self) -> Transcript:
        """Of one direction, for the PDU log."""
        return Cimd2Transcript()

    def roles(self, config: Cimd2Config) -> tuple[Role, ...]:
        """One connection for both ways."""
        return (Role.TRANSCEIVER,)

    def conversation(self, config: Cimd2Config, role: Role, now: float, surroundings: Surroundings) -> Conversation:
        """A conversation for a connection that is about to be opened."""
        account, pool = surroundings.aggregator, self._subaddresses
        return Cimd2Conversation(
            config,
            now,
            surroundings,
            lambda: pool.take(account, config.subaddresses),
            lambda taken, refused: pool.give_back(account, taken, refused=refused),
        )


def _rest(config: Cimd2Config, index: int, total: int) -> tuple[tuple[int, str], ...]:
    """The parameters that do not depend on the message, in the order of their numbers."""
    last = index + 1 == total
    relative = config.validity if config.validity_form == "relative" else None
    return parameters(
        (Tag.MORE_MESSAGES, int(not last) if config.more_messages else None),
        (Tag.VALIDITY_RELATIVE, times.relative(relative) if relative else None),
        (Tag.PROTOCOL_ID, config.protocol_id),
        (Tag.REPLY_PATH, None if config.reply_path is None else int(config.reply_path)),
        (Tag.STATUS_REPORT, _reports(config, last=last)),
        (Tag.CANCEL_ENABLED, None if config.cancel_enabled is None else int(config.cancel_enabled)),
        (Tag.TARIFF_CLASS, config.tariff_class),
        (Tag.SERVICE_DESCRIPTION, config.service_description),
        (Tag.PRIORITY, config.priority),
    )


def _reports(config: Cimd2Config, *, last: bool) -> int | None:
    """The status report request; None where no report is wanted: some accounts may not even say 0."""
    if config.receipts == "none" or (config.receipts == "last" and not last):
        return None
    mask = config.report_mask & ~Report.DELIVERED if config.receipts == "failure" else config.report_mask
    return mask | (Report.TEMPORARY if config.intermediate else 0)


DIALECT: Final[Dialect] = Cimd2Dialect()
