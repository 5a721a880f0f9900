"""What messages cost, and what a rate of them needs: pure functions of counted calls, prices and quotas."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Counts = Mapping[str, float]

# The function that each queue feeds; lanes of SMSCs feed the relay, which is no Lambda function.
FUNCTIONS: Final = {"outbound": "route", "outbound-bulk": "route_bulk", "events": "record", "later": "later"}
MILLION: Final = 1_000_000


def function_of(queue: str, smscs: frozenset[str]) -> str:
    """The function that is invoked with what is received from a queue; "" where the relay receives it."""
    name = queue.removesuffix(".fifo")
    if name.startswith("lane-"):
        return "" if name.removeprefix("lane-").removesuffix("-bulk") in smscs else "send"
    return FUNCTIONS.get(name, "deliver")


def invocations(counts: Counts, smscs: frozenset[str]) -> dict[str, float]:
    """Invocations by function, of what has been counted: an invocation a batch, and one a request of the API."""
    found: dict[str, float] = {}
    if counts.get("api requests"):
        found["api"] = counts["api requests"]
    for name, number in counts.items():
        if name.startswith("receives "):
            function = function_of(name.removeprefix("receives "), smscs)
            if function:
                found[function] = found.get(function, 0) + number
    return found


def per_message(counts: Counts, messages: int) -> dict[str, float]:
    """The counts of one message."""
    return {name: number / messages for name, number in counts.items()}


def cost(counts: Counts, prices: Mapping[str, Any], smscs: frozenset[str] = frozenset()) -> dict[str, float]:
    """Dollars for a million messages, by item. `counts` is of one message (`per_message`)."""
    unit = {name: float(one["price"]) for name, one in prices["per_million"].items()}
    assumed = prices["assumed"]
    runs = invocations(counts, smscs)
    billed = sum(number * assumed["milliseconds"][function] for function, number in runs.items()) / 1000
    api = counts.get("api requests", 0)
    return {
        "SQS": counts.get("sqs requests", 0) * unit["sqs_fifo_requests"],
        "DynamoDB": counts.get("dynamodb write units", 0) * unit["dynamodb_write_units"]
        + counts.get("dynamodb read units", 0) * unit["dynamodb_read_units"],
        "API, WAF": api * (unit["rest_api_requests"] + unit["waf_requests"]),
        "Lambda": sum(runs.values()) * unit["lambda_requests"]
        + billed * assumed["memory_gb"] * float(prices["lambda_gb_second"]["price"]) * MILLION,
        "logs": assumed["log_kb_per_message"]
        * counts.get("logged", 1)
        * MILLION
        / 1e6
        * float(prices["logs_gb"]["price"]),
    }


def hop(queue: str, *, sent: float = 0.1) -> dict[str, float]:
    """The calls of one message through one queue at their fewest: received and deleted ten at a time."""
    return {"sqs requests": sent + 0.2, f"receives {queue}": 0.1}


def together(*parts: Counts) -> dict[str, float]:
    """The sum of counts."""
    names = {name: None for part in parts for name in part}
    return {name: sum(part.get(name, 0) for part in parts) for name in names}


# The fewest calls with which the same promises can be kept: every batch full, one durable hop before each party that
# can be slow (aggregator, platform), nothing logged. An MT is claimed and concluded (two writes) so that a
# redelivery sends nothing twice. A receipt is joined with its message by one read and one write, an MO by none.
FLOORS: Final[dict[str, dict[str, float]]] = {
    "HTTP MT": together(
        hop("outbound.fifo", sent=1), hop("lane-x.fifo"), {"dynamodb write units": 2, "logged": 0}
    ),
    "HTTP receipt": together(
        {"api requests": 1, "dynamodb read units": 0.5, "dynamodb write units": 1, "logged": 0},
        hop("deliver-x.fifo", sent=1),
    ),
    "HTTP MO": together({"api requests": 1, "logged": 0}, hop("deliver-x.fifo", sent=1)),
    "SMPP MT": together(
        hop("outbound.fifo", sent=1), hop("lane-smsc.fifo"), {"dynamodb write units": 2, "logged": 0}
    ),
    "SMPP receipt": together(
        hop("events.fifo"), hop("deliver-x.fifo"),
        {"dynamodb read units": 0.5, "dynamodb write units": 1, "logged": 0},
    ),
    "SMPP MO": together(hop("events.fifo"), hop("deliver-x.fifo"), {"logged": 0}),
}  # fmt: skip
FLOOR_SMSCS: Final = frozenset({"smsc"})


# --- what a rate needs ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quota:
    """One of AWS's limits as an account has it at first."""

    name: str
    value: float
    where: str  # how it is raised, or that it is not


QUOTAS: Final = {
    "api": Quota("our stage, callbacks/s", 1_000, "`throttle`; the account has 10,000/s: Service Quotas, API Gateway"),
    "lambda": Quota("Lambda, at a time", 1_000, "Service Quotas, Lambda; then `account_concurrency`"),
    "fifo": Quota(
        "SQS FIFO, sends/s of the busiest queue",
        2_400,
        "Service Quotas, SQS. It is 70,000 in Ireland, N. Virginia and Oregon, 2,400 in regions that AWS does not name",
    ),
    "group": Quota("SQS FIFO, records/s of one group", 300, "never: a group is one contact"),
    "in_flight": Quota("SQS FIFO, in flight in one queue", 120_000, "AWS support; an alarm comes at three quarters"),
    "warm": Quota("DynamoDB, write units/s at once", 4_000, "warm throughput, before a broadcast, not during it"),
    "writes": Quota("DynamoDB, write units/s of a table", 40_000, "Service Quotas, DynamoDB"),
    "ssm": Quota("SSM, GetParameter/s", 40, "higher throughput in the settings of Parameter Store"),
    "relay": Quota("relay, messages/s of two default tasks", 380, "`relay`: cpu = 1024 first, then tasks and binds"),
    "tunnel": Quota("VPN, packets/s of a tunnel", 140_000, "a transit gateway, and a second connection (ECMP)"),
    "nat": Quota("private NAT gateway, packets/s", 1_000_000, "by itself, up to 10 million"),
}


@dataclass(frozen=True)
class Load:
    """MTs a second; each gets a receipt, and some are answered. Times are of one batch of ten; see docs/scaling.md."""

    rate: float
    mo_share: float = 0.2  # MOs for each MT
    http_share: float = 0.5  # by HTTP aggregators; the rest by SMSCs
    aggregator_s: float = 0.3  # until an aggregator answers
    platform_s: float = 0.1  # until the platform answers
    call_s: float = 0.006  # a call of AWS
    segments: float = 1.2  # short messages for each MT
    writes: tuple[float, float, float] = (6, 4, 3)  # units of DynamoDB for an MT, a receipt, an MO (bench/counts.json)
    secret_s: float = 30  # s after which a process reads a secret again


def concurrency(rate: float, seconds: float, batch: float = 10) -> int:
    """Invocations at a time, by Little's law: batches fill as the rate grows, and are of one record before that."""
    filled = min(batch, max(1.0, rate * seconds))
    return math.ceil(rate * seconds / filled)


def needs(load: Load) -> dict[str, float]:
    """What the load takes of each quota, by its key in `QUOTAS`."""
    mt, receipts, mo = load.rate, load.rate, load.rate * load.mo_share
    smsc = 1 - load.http_share
    callbacks = (receipts + mo) * load.http_share
    events, told = mt + receipts + mo, mt + receipts + mo
    functions = {
        "api": concurrency(callbacks, 5 * load.call_s, 1),
        "route": concurrency(mt, 6 * load.call_s),
        "send": concurrency(mt * load.http_share, load.aggregator_s + 6 * load.call_s),
        "record": concurrency(events, 10 * load.call_s),
        "deliver": concurrency(told, load.platform_s + 5 * load.call_s),
    }
    running = sum(functions.values())
    writes = sum(rate * unit for rate, unit in zip((mt, receipts, mo), load.writes, strict=True))
    # a submit, a receipt or an MO is a packet and its answer; TCP acknowledges on them
    packets = (mt * load.segments + receipts + mo) * smsc * 2
    return {
        "api": callbacks,
        "lambda": running,
        # The platform sends one at a time, and so do callbacks; outcomes and what the relay tells come ten at a time.
        "fifo": max(mt, callbacks + (events - callbacks) / 10),
        "group": min(1.0, load.rate),
        "in_flight": max(mt * load.http_share * (load.aggregator_s + 0.1), told * (load.platform_s + 0.1)),
        "warm": writes,
        "writes": writes,
        "ssm": running / load.secret_s,
        "relay": (mt * load.segments + receipts + mo) * smsc,
        "tunnel": packets,
        "nat": packets,
    }


def verdict(needed: float, quota: Quota) -> str:
    """What to do about a quota: nothing, look at it (above half of it), or raise it."""
    share = needed / quota.value
    return "" if share <= 0.5 else "near" if share <= 1 else "raise"


def raised(load: Load) -> list[str]:
    """The quotas that the load is above."""
    return [key for key, needed in needs(load).items() if verdict(needed, QUOTAS[key]) == "raise"]
