"""Programs that tests judge by: those of the machine, else fetched from its Debian mirror into `.cache/`, without root.

A test that needs a program that cannot be had fails, and says how to install it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parent.parent / ".cache"
STATUS = Path("/var/lib/dpkg/status")  # which packages the machine has
_MINUTES = 5 * 60


@dataclass(frozen=True)
class Tool:
    """A program, and where its libraries are when it has been fetched ("" when it is the machine's own)."""

    path: Path
    libraries: str = ""

    def run(self, *arguments: str | Path) -> str:
        """What it prints.

        Raises:
            AssertionError: it failed; with what it said.
        """
        environment = dict(os.environ)
        if self.libraries:
            environment["LD_LIBRARY_PATH"] = self.libraries
        done = subprocess.run(
            [self.path, *arguments], env=environment, capture_output=True, text=True, timeout=_MINUTES, check=False
        )
        assert done.returncode == 0, f"{self.path} exited with {done.returncode}: {done.stderr.strip()}"
        return done.stdout


def tool(name: str) -> Tool:
    """The program of the Debian package of the same name."""
    own = shutil.which(name)
    if own:
        return Tool(Path(own))
    home = CACHE / name
    home.mkdir(parents=True, exist_ok=True)
    # One process fetches, those that run beside it wait.
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root, ready = home / "root", home / "ready"
        if not ready.exists():
            try:
                _fetch(name, home, root)
            except (OSError, subprocess.SubprocessError) as error:
                said = getattr(error, "stderr", "") or error
                pytest.fail(f"{name} is needed: apt-get install -y {name} (fetching it failed: {said})", pytrace=False)
            ready.touch()
    libraries = [root / "usr/lib", *(root / "usr/lib").glob("*-linux-gnu*"), *(root / "lib").glob("*-linux-gnu*")]
    return Tool(root / "usr/bin" / name, ":".join(map(str, libraries)))


def _fetch(name: str, home: Path, root: Path) -> None:
    """Download a package with all that the machine lacks for it, and unpack everything into `root`."""
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("state/lists/partial", "cache/archives/partial", "root"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    options = (
        f"Dir::State={home / 'state'}",
        f"Dir::State::status={STATUS}",
        f"Dir::Cache={home / 'cache'}",
        "Debug::NoLocking=1",
        "APT::Sandbox::User=root",
    )
    apt = ("apt-get", "-q", *(f"-o{option}" for option in options))
    _call((*apt, "update"))
    _call((*apt, "--yes", "--no-install-recommends", "--download-only", "install", name))
    for package in sorted((home / "cache/archives").glob("*.deb")):
        _call(("dpkg-deb", "--extract", str(package), str(root)))
    shutil.rmtree(home / "cache")
    if not (root / "usr/bin" / name).exists():
        raise FileNotFoundError(f"package {name} brings no usr/bin/{name}")


def _call(command: Sequence[str]) -> None:
    subprocess.run(command, capture_output=True, text=True, timeout=_MINUTES, check=True)
