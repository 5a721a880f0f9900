"""What proves that a submit without an answer was accepted: a receipt for its phone that no other submit can have.

A connection drops, and the answers that were on their way with it are gone. The SMSC, where it had taken the messages,
goes on to tell of them, under ids that nobody here has seen: λ record parks such receipts (`rendezvous`). So whoever
has a part in doubt waits a little, looks there, and takes the receipt for the part; then nothing goes twice.

What could be taken for a proof and is none: a receipt that came before the part was submitted, of another phone, of an
id that some submit has, or that has proved another part. What is taken wrongly would be a message lost; there remains
a message to the same phone that somebody else has sent over the same account at the same moment.
"""

from __future__ import annotations

from typing import Final

from chalicelib import ledger_table, rendezvous
from chalicelib.messages import NAMELESS
from chalicelib.phones import digits_match
from chalicelib.records import MessageKey

SKEW: Final = 2_000  # ms that the clocks of two of our processes may differ


def take(aggregator: str, destination: str, since: int, key: MessageKey, part: int) -> str:
    """The external id under which a part has been accepted that was submitted at `since` (ms) and never answered; "":
    nothing proves that it was. From now on that receipt proves nothing else. Repeatable, until the submit is filed
    under the id, which is for the caller to see to."""
    earliest = since - SKEW
    name = f"{key.channel}/{key.id}/{key.generation}/{part}"
    for parked in rendezvous.unmatched(aggregator, earliest):
        update = parked.receipt.update
        its = bool(update.destination) and digits_match(update.destination, destination)
        named = not parked.external_id.startswith(NAMELESS)
        if its and named and parked.receipt.at >= earliest and _taken(parked, name):
            return parked.external_id
    return ""


def _taken(parked: rendezvous.Parked, name: str) -> bool:
    """The receipt is this part's, unless it was another's before or its submit has been filed meanwhile."""
    pk = rendezvous.item_key(parked.aggregator, parked.external_id)
    condition = "(attribute_not_exists(proves) OR proves = :name) AND (attribute_not_exists(subs) OR subs = :nobody)"
    values = {":name": {"S": name}, ":nobody": {"L": []}}
    return (
        ledger_table.attempt(
            lambda: ledger_table.update(pk, "SET proves = :name", values, condition=condition, answer="NONE")
        )
        is not None
    )
