"""What an operator asks of the running relay, and what it answers: words and where they lie (the ledger's table).

Item `relay#orders`, one for the deployment, which every task reads every few seconds: `asks`, a set of questions that
nobody has taken so far, and for each link whose PDUs are logged `log <link>`, until when (ms). Who takes a question out
of the set has it, alone. Item `relay#answer#<id>`: its answer, for an hour.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from chalicelib import aws, ledger_table

_KEY: Final = "relay#orders"
_LOG: Final = "log "
_KEEP: Final = 3600  # s

Kind = Literal["query", "cancel", "replace"]
TrialKind = Literal["probe", "test", "listen"]


class Ask(BaseModel):
    """A question about a message that the SMSC of `link` has accepted; or a step of `jangada smsc check --relay`: ask
    whether the SMSC lives, send a test message from `source` to `destination`, wait for the next MO."""

    model_config = ConfigDict(frozen=True)

    id: str
    link: str
    kind: Kind | TrialKind
    channel: str  # UUID; "" of a test message: none
    external_id: str  # as the SMSC has written it
    source: str
    destination: str
    text: str = ""  # instead of the message's
    encoding: str = ""  # of the message, "" where that is unknown
    until: int  # ms: nobody waits for the answer any more
    task: str = ""  # that is to take it; "": whoever can ask the SMSC
    wait: float = 0.0  # s for the receipt of a test message, or for an MO


class Answer(BaseModel):
    """What came of an `Ask`. `said`: by the SMSC, by name; `problem`: "" where it has done what was asked; `more`: this
    is what is known so far, and another answer will be in its place."""

    model_config = ConfigDict(frozen=True)

    id: str
    task: str
    said: dict[str, str] = {}
    problem: str = ""
    more: bool = False


class Orders(BaseModel):
    """What there is to do. `asks`: as they are stored, for `take`; `logs`: link -> until when, in ms."""

    model_config = ConfigDict(frozen=True)

    asks: tuple[str, ...] = ()
    logs: dict[str, int] = {}


def read() -> Orders:
    """For a relay task, every few seconds: half a read unit."""
    answer = aws.dynamodb().get_item(TableName=ledger_table.name(), Key={"pk": {"S": _KEY}})
    item: dict[str, Any] = answer.get("Item") or {}
    logs = {name.removeprefix(_LOG): int(value["N"]) for name, value in item.items() if name.startswith(_LOG)}
    return Orders(asks=tuple(item.get("asks", {}).get("SS", ())), logs=logs)


def put(ask: Ask) -> str:
    """Ask; answers the question as it is stored."""
    body = ask.model_dump_json()
    ledger_table.update(_KEY, "ADD asks :one", {":one": {"SS": [body]}}, answer="NONE")
    return body


def take(body: str) -> bool:
    """Take a question out: True for one only, who has to answer it; or who has asked, and waits no longer."""
    values = {":one": {"SS": [body]}, ":it": {"S": body}}
    condition = "contains(asks, :it)"
    change = "DELETE asks :one"
    return (
        ledger_table.attempt(lambda: ledger_table.update(_KEY, change, values, condition=condition, answer="NONE"))
        is not None
    )


def answer(one: Answer, now: int) -> None:
    """Have whoever has asked read it."""
    item = {"pk": {"S": f"relay#answer#{one.id}"}, "d": {"S": one.model_dump_json()}}
    ledger_table.put({**item, "ttl": {"N": str(now // 1000 + _KEEP)}})


def answer_to(ask_id: str) -> Answer | None:
    """The answer, once it is there."""
    item = ledger_table.get(f"relay#answer#{ask_id}")
    return Answer.model_validate_json(item["d"]["S"]) if item else None


def log_until(link: str, until: int) -> None:
    """Have every task log the PDUs of a link until then (ms); 0: no more."""
    names = {"#log": f"{_LOG}{link}"}
    if until:
        ledger_table.update(_KEY, "SET #log = :until", {":until": {"N": str(until)}}, names=names, answer="NONE")
    else:
        request = {"TableName": ledger_table.name(), "Key": {"pk": {"S": _KEY}}}
        aws.dynamodb().update_item(**request, UpdateExpression="REMOVE #log", ExpressionAttributeNames=names)
