"""Programs that tests judge by: those of the machine, else fetched from its Debian mirror into `.cache/`, without root;
and packages of Python and of node that must not be among our own.

A test that needs what cannot be had fails, and says how to install it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parent.parent / ".cache"
STATUS = Path("/var/lib/dpkg/status")  # which packages the machine has
_MINUTES = 5 * 60
_PROGRAMS = ("usr/bin", "usr/sbin", "bin", "sbin")
_DAEMONS = ":/usr/sbin:/sbin"  # not in everybody's PATH


@dataclass(frozen=True)
class Tool:
    """A program, and where its libraries are when it has been fetched ("" when it is the machine's own)."""

    path: Path
    libraries: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What it must be run in."""
        return {**os.environ, "LD_LIBRARY_PATH": self.libraries} if self.libraries else dict(os.environ)

    def run(self, *arguments: str | Path) -> str:
        """What it prints.

        Raises:
            AssertionError: it failed; with what it said.
        """
        done = subprocess.run(
            [self.path, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            errors="replace",  # a dissector may print what it does not understand as it came
            timeout=_MINUTES,
            check=False,
        )
        assert done.returncode == 0, f"{self.path} exited with {done.returncode}: {done.stderr.strip()}"
        return done.stdout


def tool(name: str, package: str = "") -> Tool:
    """A program of a Debian package, unless told of the one that has its name."""
    package = package or name
    own = shutil.which(name, path=os.environ.get("PATH", os.defpath) + _DAEMONS)
    if own:
        return Tool(Path(own))
    home = CACHE / package
    root = home / "root"
    _once(home, lambda: _fetch(package, home, root), f"{name} is needed: apt-get install -y {package}")
    found = next((root / folder / name for folder in _PROGRAMS if (root / folder / name).exists()), None)
    if found is None:
        pytest.fail(f"package {package} brings no program {name}: {root}", pytrace=False)
    private = (root / "usr/lib").glob("*-linux-gnu*/pulseaudio")  # of libpulse, which looks for it below the real root
    libraries = [root / "usr/lib", *(root / "usr/lib").glob("*-linux-gnu*"), *(root / "lib").glob("*-linux-gnu*")]
    libraries += private
    return Tool(found, ":".join(map(str, libraries)))


def python_with(name: str, requirements: Path) -> Path:
    """The Python of an environment of its own, with the packages that a file pins, all that they need among them."""
    home = CACHE / name

    def make() -> None:
        shutil.rmtree(home / "venv", ignore_errors=True)
        _call((sys.executable, "-m", "venv", str(home / "venv")))
        how = ("--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps")
        _call((str(home / "venv/bin/pip"), "install", *how, "--requirement", str(requirements)))

    needed = f"{name} is needed: pip install --no-deps -r {requirements}"
    _once(home, make, needed, pinned=requirements.read_bytes())
    return home / "venv/bin/python"


def node_with(name: str, pinned: Path) -> tuple[Path, Path]:
    """node, and the folder of the modules that a folder's package-lock.json pins."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.fail("node and npm are needed: apt-get install -y nodejs npm", pytrace=False)
    home = CACHE / name
    files = [pinned / "package.json", pinned / "package-lock.json"]

    def make() -> None:
        for file in files:
            shutil.copy(file, home)
        _call((npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(home)))

    _once(home, make, f"{name} is needed: npm ci --prefix {pinned}", pinned=b"".join(one.read_bytes() for one in files))
    return Path(node), home / "node_modules"


def _once(home: Path, make: Callable[[], None], needed: str, pinned: bytes = b"") -> None:
    """Make what belongs into `home`, unless it has been made of the same `pinned`; those that run beside it wait."""
    home.mkdir(parents=True, exist_ok=True)
    made_of = hashlib.sha256(pinned).hexdigest() if pinned else ""
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = home / "ready"
        if ready.exists() and ready.read_text() == made_of:
            return
        try:
            make()
        except (OSError, subprocess.SubprocessError) as error:
            pytest.fail(f"{needed} (fetching it failed: {getattr(error, 'stderr', '') or error})", pytrace=False)
        ready.write_text(made_of)


def _fetch(package: str, home: Path, root: Path) -> None:
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
    _call((*apt, "--yes", "--no-install-recommends", "--download-only", "install", package))
    for archive in sorted((home / "cache/archives").glob("*.deb")):
        _call(("dpkg-deb", "--extract", str(archive), str(root)))
    shutil.rmtree(home / "cache")


def _call(command: Sequence[str]) -> None:
    subprocess.run(command, capture_output=True, text=True, timeout=_MINUTES, check=True)


def openssl(*arguments: str | Path, data: bytes = b"", cwd: Path | None = None) -> bytes:
    """What the openssl command writes: keys and signatures that nobody here has made."""
    command = [tool("openssl").path, *arguments]
    return subprocess.run(command, input=data, cwd=cwd, capture_output=True, check=True).stdout
