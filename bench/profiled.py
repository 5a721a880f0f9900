"""`python -m bench.profiled FILE ...`: the relay under cProfile, by the CPU time of its main thread.

A wall clock would charge what the machine does meanwhile to whoever was interrupted.
"""

from __future__ import annotations

import cProfile
import sys
import time

from smsc_relay.__main__ import main

if __name__ == "__main__":
    profile = cProfile.Profile(time.thread_time)
    try:
        code = profile.runcall(main, sys.argv[2:])
    finally:
        profile.dump_stats(sys.argv[1])
    sys.exit(code)
