"""`python -m local.relay`: the relay as it is, but for a power cut, or a clock that jumps, that a test asks for."""

from __future__ import annotations

import argparse
import sys

from local import crash, skew
from smsc_relay.__main__ import main as relay


def main() -> int:
    """Run the relay with all other arguments."""
    parser = argparse.ArgumentParser(prog="python -m local.relay", description=__doc__)
    crash.add_options(parser)
    options, rest = parser.parse_known_args()
    crash.install(options)
    skew.install()
    return relay(rest)


if __name__ == "__main__":
    sys.exit(main())
