"""SMPP clients that others have written, against the same sink, each a process in `.venv-peers` (`make peers`).

They are pinned in bench/requirements-peers.txt and tests/peers/node/package-lock.json, which `make setup` leaves out.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
HOME: Final = ROOT / ".venv-peers"
# The most messages of a run. The rates of two fall with each message that they have sent.
PEERS: Final[dict[str, int | None]] = {
    "smpp34": None,
    "rusmppyc": None,
    "smpplib": None,
    "aiosmpplib": 1_500,
    "naz": 1_500,
    "node smpp": None,
}
NODE: Final = "node smpp"
LIMIT: Final = 20  # s for one run
INSTALL: Final = "make peers"


def run(kind: str, port: int, window: int, count: int, *, limit: float = LIMIT, home: Path = HOME) -> dict[str, Any]:
    """One run: `bench.figures.figures`, or why there are none.

    `{"absent": how to install it}`, `{"stalled": what was answered within the limit}`, `{"failed": what it said}`.
    """
    numbers = [str(one) for one in (port, window, count, limit)]
    command = [str(home / "bin" / "python"), "-m", "bench.peers.clients", kind]
    given: dict[str, Any] = {}
    if kind == NODE:
        node = shutil.which("node")
        if node is None or not (home / "node_modules" / "smpp").exists():
            return {"absent": f"{INSTALL} (with node and npm)"}
        command = [node, str(Path(__file__).with_name("client.cjs"))]
        given = {"env": {"NODE_PATH": str(home / "node_modules")}}
    elif not list(home.glob(f"lib/python3*/site-packages/{kind}")):
        return {"absent": INSTALL}
    try:
        done = subprocess.run(
            [*command, *numbers], capture_output=True, text=True, cwd=ROOT, timeout=limit + 10, check=False, **given
        )
    except subprocess.TimeoutExpired:  # it could not even say so
        return {"stalled": f"no word after {limit + 10:g} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        return {"failed": f"exit status {done.returncode}: {last[:100]}"}
    told: dict[str, Any] = json.loads(lines[-1])
    return told
