"""`python -m checks.advisories`: is a version that we pin, or that comes with one, known to be vulnerable?

Two steps, so that a service that is down, or has something new to say, never turns a change red that has nothing to do
with it:

- CI compares versions with a snapshot of advisories that is part of the repository (checks/advisories.json). It needs
  no network and gives the same answer every time. What the snapshot has not asked about is named, and so is its age.
- `--refresh` asks OSV (https://google.github.io/osv.dev/post-v1-query/) for all advisories on every package, and writes
  the snapshot. It fails when it cannot, and leaves the old one. A maintainer runs it, or a job by the calendar.

pip-audit is not used: where a registry has no advisories it calls every package "could not be audited" and exits 0.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from checks import requirements

SNAPSHOT: Final = Path(__file__).with_name("advisories.json")
SERVICE: Final = "https://api.osv.dev"
OLD: Final = 30  # days after which a snapshot is called old


class SnapshotError(RuntimeError):
    """The snapshot cannot be read or made; the text says why."""


def load(path: Path = SNAPSHOT) -> dict[str, Any]:
    """The snapshot: `taken` (date), `source`, `packages` (name -> advisories with id, aliases, affected, versions).

    Raises:
        SnapshotError: it is not there, or is something else.
    """
    try:
        snapshot = json.loads(path.read_text())
        date.fromisoformat(snapshot["taken"])
        for advisories in snapshot["packages"].values():
            for one in advisories:
                if not isinstance(one["id"], str) or any(len(found) != 3 for found in one["affected"]):
                    raise ValueError(f"an advisory of another form: {one['id']!r}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SnapshotError(f"{path.name} is no snapshot ({error!r}): run `make advisories`") from error
    return dict(snapshot)


def matches(advisory: Mapping[str, Any], version: str) -> bool:
    """Whether an advisory is about a version: listed, or in a range (introduced, fixed, last affected)."""
    if version in advisory.get("versions", ()):
        return True
    try:
        found = Version(version)
    except InvalidVersion:
        return False
    for introduced, fixed, last in advisory["affected"]:
        begun = introduced == "0" or found >= Version(introduced)
        ended = (fixed is not None and found >= Version(fixed)) or (last is not None and found > Version(last))
        if begun and not ended:
            return True
    return False


def check(
    versions: Iterable[tuple[str, str]], snapshot: Mapping[str, Any], accepted: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """What is wrong (one line each), and the packages that the snapshot does not know."""
    wrong, unknown = [], set()
    for name, version in sorted(set(versions)):
        if name not in snapshot["packages"]:
            unknown.add(name)
            continue
        for one in snapshot["packages"][name]:
            names = {one["id"], *one.get("aliases", ())}
            if matches(one, version) and not names & accepted.keys():
                fixed = sorted({pair[1] for pair in one["affected"] if pair[1]}) or ["no release"]
                others = f" ({', '.join(one['aliases'])})" if one.get("aliases") else ""
                wrong.append(f"{name} {version}: {one['id']}{others}; fixed in {', '.join(fixed)}")
    return wrong, sorted(unknown)


def reduced(vulnerability: Mapping[str, Any], package: str) -> dict[str, Any]:
    """An advisory of OSV (https://ossf.github.io/osv-schema/) as the snapshot keeps it: ids, ranges, versions."""
    affected: list[list[str | None]] = []
    versions: list[str] = []
    for one in vulnerability.get("affected", ()):
        named = one.get("package", {})
        if named.get("ecosystem") != "PyPI" or canonicalize_name(named.get("name", "")) != package:
            continue
        ranges = [found for found in one.get("ranges", ()) if found.get("type") == "ECOSYSTEM"]
        for events in (found["events"] for found in ranges):
            for event in events:
                if "introduced" in event:
                    affected.append([event["introduced"], None, None])
                elif "fixed" in event:
                    affected[-1][1] = event["fixed"]
                elif "last_affected" in event:
                    affected[-1][2] = event["last_affected"]
        if not ranges:
            versions += one.get("versions", ())
    return {
        "id": vulnerability["id"],
        "aliases": sorted(vulnerability.get("aliases", ())),
        "affected": affected,
        **({"versions": sorted(versions)} if versions else {}),
    }


def refresh(names: Iterable[str], service: str = SERVICE) -> dict[str, Any]:
    """Ask for all advisories on the packages.

    Raises:
        SnapshotError: the service cannot be reached, or answers something else; nothing is half done.
    """
    import requests

    packages: dict[str, list[dict[str, Any]]] = {}
    with requests.Session() as session:
        for name in sorted(names):
            found: list[dict[str, Any]] = []
            query: dict[str, Any] = {"package": {"name": name, "ecosystem": "PyPI"}}
            while True:
                try:
                    answer = session.post(f"{service}/v1/query", json=query, timeout=30)
                    answer.raise_for_status()
                    said = answer.json()
                    found += [reduced(one, name) for one in said.get("vulns", ()) if not one.get("withdrawn")]
                except (requests.RequestException, ValueError, KeyError, IndexError) as error:
                    reason = f"{service} gave no answer on {name} ({type(error).__name__}); the snapshot is as it was"
                    raise SnapshotError(reason) from error
                if not said.get("next_page_token"):
                    break
                query["page_token"] = said["next_page_token"]
            packages[name] = sorted(found, key=lambda one: str(one["id"]))
    return {"taken": datetime.now(UTC).date().isoformat(), "source": service, "packages": packages}


def our_versions(root: Path = requirements.ROOT) -> set[tuple[str, str]]:
    """Everything pinned, and everything installed for it in this environment and, where they are made, the others."""
    found = {pair for path in sorted(root.glob("requirements*.txt")) for pair in requirements.pins(path).items()}
    known = requirements.installed()
    found |= {(name, known[name].version) for name in requirements.closure((name for name, _ in found), known)}
    for folder in requirements.ENVIRONMENTS.values():
        sites = list((root / folder).glob("lib/python*/site-packages"))
        for name, one in (requirements.installed(sites) if sites else {}).items():
            found.add((name, one.version))
    return found


def main(arguments: list[str] | None = None) -> int:
    """0 where nothing is known, 1 with a line for each advisory, 2 where the snapshot cannot be used or made."""
    parser = argparse.ArgumentParser(prog="python -m checks.advisories", description=__doc__.splitlines()[0])
    parser.add_argument("--refresh", action="store_true", help="ask OSV, and write the snapshot first")
    parser.add_argument("--service", default=SERVICE, help=f"where OSV is (default: {SERVICE})")
    parser.add_argument("--snapshot", type=Path, default=SNAPSHOT)
    options = parser.parse_args(arguments)
    try:
        versions = our_versions()
        if options.refresh:
            made = refresh({name for name, _ in versions}, options.service)
            made["accepted"] = load(options.snapshot).get("accepted", {}) if options.snapshot.exists() else {}
            options.snapshot.write_text(json.dumps(made, indent=1) + "\n")
        snapshot = load(options.snapshot)
    except (SnapshotError, requirements.PinError) as error:
        print(f"advisories: {error}", file=sys.stderr)
        return 2
    wrong, unknown = check(versions, snapshot, snapshot.get("accepted", {}))
    for line in wrong:
        print(f"advisories: {line}", file=sys.stderr)
    days = (datetime.now(UTC).date() - date.fromisoformat(snapshot["taken"])).days
    if days > OLD or unknown:
        shipped = {name for file in requirements.SHIPPED for name in requirements.pins(requirements.ROOT / file)}
        deployed = sorted(requirements.closure(shipped, requirements.installed()).intersection(unknown))
        print(
            f"advisories: WARNING: the snapshot is {days} days old and does not cover {len(unknown)} packages, of them "
            f"deployed: {', '.join(deployed) or 'none'}. Run `make advisories` where {SERVICE} is reached.",
            file=sys.stderr,
        )
    known = sum(len(found) for found in snapshot["packages"].values())
    print(f"advisories: {len(versions)} versions against {known} advisories of {snapshot['taken']}: {len(wrong)} match")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
