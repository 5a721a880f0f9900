"""`python -m smsc_relay check NAME`: the check where the relay runs. `jangada smsc check` has it run there."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from chalicelib import phones
from smsc_relay import heartbeat
from smsc_relay.terms import Terms

if TYPE_CHECKING:
    from smsc_relay.check import Check
    from smsc_relay.check_steps import Step, Wishes

_SIGNS = {"ok": "ok", "failed": "FAILED", "skipped": "skipped", "waiting": "..."}


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the check takes, here and in `jangada smsc check`."""
    parser.add_argument("name", metavar="NAME", help="an SMSC account of the registry")
    parser.add_argument("--to", default="", metavar="NUMBER", help="a phone for test messages: +256...; without: none")
    parser.add_argument("--from", dest="sender", default="", metavar="SENDER", help="default: the first channel's")
    parser.add_argument("--burst", type=int, default=5, metavar="N", help="messages at most, for the window (5)")
    parser.add_argument("--wait-receipt", type=float, default=60, metavar="SECONDS", help="for the receipt (60)")
    parser.add_argument("--wait-mo", type=float, default=0, metavar="SECONDS", help="for a test MO (0: no MO)")


def wishes(options: argparse.Namespace) -> Wishes:
    """Of `add_options`.

    Raises:
        NotAPhoneNumber: `--to` is none.
    """
    from smsc_relay.check_steps import Wishes

    to = phones.normalise_sender(options.to, "") if options.to else ""
    return Wishes(to, options.sender, options.burst, options.wait_receipt, options.wait_mo)


def line(step: Step) -> str:
    """A step for people."""
    shown = f"{_SIGNS[step.state]:8} {step.name}: {step.detail}"
    return f"{shown}\n         to ask of {step.whom}: {step.ask}" if step.ask else shown


def main(arguments: Sequence[str]) -> int:
    """0: nothing has failed."""
    from smsc_relay.check import Check

    parser = argparse.ArgumentParser(prog="python -m smsc_relay check", description=__doc__)
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="a line of JSON for each step")
    options = parser.parse_args(arguments)
    try:
        wanted = wishes(options)
    except phones.NotAPhoneNumber as error:
        parser.error(f"--to: {error}; write it as +256700123123")

    def tell(step: Step) -> None:
        sys.stdout.write((json.dumps(asdict(step)) if options.json else line(step)) + "\n")
        sys.stdout.flush()

    return 0 if asyncio.run(_run(Check(options.name, wanted, tell))) else 1


async def _run(check: Check) -> bool:
    """Under the supervisor, which is process 1 of a task, it must give signs of life."""
    beating = asyncio.create_task(heartbeat.beat(Terms().beat, lambda: None))
    try:
        return await check.run()
    finally:
        beating.cancel()
