"""`jangada`: the operator's command line. Exit status 0: done; 1: it could not be done, stderr says why; 2: usage.

A subcommand's module is imported when it is the one that is asked for, so that help and small commands start at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "aggregator": ("aggregators", "check and apply aggregator files; list, show, give secrets"),
    "channel": ("channels", "add, list, show, enable and disable channels; their callback URLs"),
    "platform": ("platforms", "list and show platforms; give their credentials"),
    "token": ("tokens", "make, list and revoke the tokens of POST /send"),
    "why": ("why", "what has become of a message, hop by hop"),
    "lane": ("lanes", "depth and age of the lanes; which are paused and why; resume one"),
    "freeze": ("freezing", "stop what goes out through an aggregator or for a workspace; cancel what waits"),
    "thaw": ("freezing", "let a frozen aggregator or workspace go on"),
    "dlq": ("dlq", "list, explain and redrive what needs a human"),
    "smsc": ("smsc", "SMSC accounts: how their links are; import them from a Kannel configuration"),
    "unmatched": ("misc", "receipts that fit no message so far"),
    "types": ("misc", "aggregator types and their config keys"),
    "segments": ("misc", "how a text is cut into short messages, and what makes it dear"),
    "schemas": ("schemas", "export the JSON Schemas of messages and aggregator files"),
    "docs": ("channel_pages", "write docs/channels and docs/smsc/smpp.md from the code"),
}
REQUIRED: Final = ("JANGADA_PREFIX", "JANGADA_QUEUE_BASE", "JANGADA_SSM_PREFIX")


def parser_for(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the subcommand that `argv` names has its arguments."""
    parser = argparse.ArgumentParser(prog="jangada", description="SMS gateway: the operator's commands")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, summary) in COMMANDS.items():
        one = commands.add_parser(name, help=summary, description=summary)
        if name in argv[:1]:
            importlib.import_module(f"cli.{module}").arguments(one, name)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    options = parser_for(given).parse_args(given)
    if os.environ.get("JANGADA_LOCAL"):  # the emulated AWS of `make run`
        from local.emulator import environment

        os.environ.update(environment(os.environ["JANGADA_LOCAL"]))
    try:
        status: int | None = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # `jangada ... | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("JANGADA_DEBUG"):
            raise
        print(f"jangada: {explain(error)}", file=sys.stderr)
        return 1
    return status or 0


def explain(error: BaseException) -> str:
    """What went wrong and what to do about it, for somebody who does not read tracebacks."""
    from chalicelib import aws
    from chalicelib.settings import SettingsError

    if isinstance(error, SettingsError) or type(error).__name__ == "NoRegionError":
        missing = [name for name in REQUIRED if not os.environ.get(name)]
        if not (os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_PROFILE")):
            missing.append("AWS_DEFAULT_REGION")
        return f"{', '.join(missing) or error} not set: docs/cli.md says what the command line needs"
    cause = error.__cause__
    if type(error).__name__ == "RegistryUnavailable" and cause is not None:
        return explain(cause)
    code = aws.error_code(error)
    if code in ("ResourceNotFoundException", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"):
        prefix = os.environ.get("JANGADA_PREFIX")
        return f"a table or queue {prefix}* does not exist: check JANGADA_PREFIX, or run `terraform apply`"
    if code:
        return f"AWS says {code}: {error}"
    kind = type(error)
    if kind.__module__.startswith("botocore"):
        if kind.__name__ == "NoCredentialsError":
            return "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        return f"AWS does not answer: {error}"
    if isinstance(error, LookupError | ValueError | RuntimeError | OSError) or kind.__name__ == "Problem":
        return str(error)
    return f"{kind.__name__}: {error} (set JANGADA_DEBUG=1 for the traceback)"


if __name__ == "__main__":
    sys.exit(main())
