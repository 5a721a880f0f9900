"""Aggregator files -> the registry: everything is checked before anything is written, and what is written first is
what the rest stands on. A crash half way leaves channels whose aggregator and platform are there; applying the same
files again does what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from chalicelib import depths, queues, registry, registry_store
from chalicelib.clock import now_ms
from chalicelib.registry import Aggregator, Channel, Platform
from cli import egress_entry
from cli.aggregator_files import (
    SECRET,
    ChannelEntry,
    FileError,
    Loaded,
    PlatformEntry,
    config_problems,
    report,
)
from cli.yaml_nodes import Path

Action = Literal["new", "changed", "same", "disabled", "left"]
_Problem = tuple[str, Path, str]  # file:line, key, what is wrong and what to do


@dataclass(frozen=True)
class Step:
    """One entry of the registry, what happens to it, and how to do it."""

    kind: Literal["platform", "aggregator", "channel"]
    name: str
    action: Action
    detail: str = ""
    write: Callable[[], object] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Plan:
    """What applying would do, in its order, and what is left for the operator to do."""

    steps: tuple[Step, ...]
    to_do: tuple[str, ...]

    def run(self) -> None:
        """Do it."""
        for step in self.steps:
            if step.write:
                step.write()


def apply(files: Sequence[Loaded], secrets: Mapping[str, Mapping[str, str]] | None = None) -> Plan:
    """Write checked files to the registry, with the `secrets` of each aggregator by its name.

    Raises:
        FileError: they contradict each other or the registry; nothing has been written.
        registry_store.Conflict: somebody is changing the same entries at this moment.
    """
    made = plan(files)
    for name, values in (secrets or {}).items():
        registry_store.put_secrets(name, values)
    made.run()
    return made


def plan(files: Sequence[Loaded], *, prune: bool = False) -> Plan:
    """What is to be done to have the registry say what the files say.

    Raises:
        FileError: they contradict each other or the registry, with a line for each problem.
    """
    registry.reset()
    found = _Planning(files, prune)
    problems = [*found.between_files(), *found.with_registry()]
    if problems:
        raise FileError(report(problems))
    return Plan(tuple(found.steps()), tuple(found.to_do()))


class _Planning:
    def __init__(self, files: Sequence[Loaded], prune: bool) -> None:
        self.files = files
        self.prune = prune
        self.now = now_ms()
        self.aggregators = {one.name: one for one in registry.aggregators()}
        self.platforms = {one.name: one for one in registry.platforms()}
        self.channels = {one.uuid: one for one in registry.channels()}
        self.named_platforms = {name for file in files for name in file.platforms}
        self.entries = {str(one.uuid): (file, index, one) for file, index, one in self._entries()}
        named = {file.aggregator.name for file in files if file.aggregator}
        self.left = [one for one in self.channels.values() if one.aggregator in named and one.uuid not in self.entries]

    def _entries(self) -> Iterator[tuple[Loaded, int, ChannelEntry]]:
        for file in self.files:
            for index, one in enumerate(file.aggregator.channels if file.aggregator else ()):
                yield file, index, one

    # --- checks ---------------------------------------------------------------------------------------------------

    def between_files(self) -> Iterator[_Problem]:
        """What two files both claim."""
        taken: dict[tuple[str, Any], str] = {}
        for file in self.files:
            claims: list[tuple[Path, tuple[str, Any]]] = []
            if file.aggregator:
                claims.append((("name",), ("aggregator", file.aggregator.name)))
                for index, one in enumerate(file.aggregator.channels):
                    claims.append((("channels", index, "uuid"), ("channel", one.uuid)))
                    if one.id is not None:
                        claims.append((("channels", index, "id"), ("channel id", one.id)))
            claims += [(("platforms", name), ("platform", name)) for name in file.platforms]
            for path, claim in claims:
                at = file.at(*path)
                first = taken.setdefault(claim, at)
                if first != at:
                    yield at, path, f"{claim[0]} {claim[1]} is in {first} too: keep it in one file"

    def with_registry(self) -> Iterator[_Problem]:
        """What the registry does not allow."""
        for file in self.files:
            for name, entry in file.platforms.items():
                yield from self._platform_problems(file, name, entry)
            if file.aggregator:
                yield from self._aggregator_problems(file)
        held = {
            claim: other
            for other in self.channels.values()
            if other.uuid not in self.entries and other.enabled and not (self.prune and other in self.left)
            for claim in registry_store.claims_of(other)
        }
        for file, index, one in self._entries():
            if one.platform not in self.platforms and one.platform not in self.named_platforms:
                path: Path = ("channels", index, "platform")
                yield (
                    file.at(*path),
                    path,
                    f"no platform {one.platform}: add it under `platforms:`, or apply its file",
                )
            for claim, what in registry_store.claims_of(_channel(file, one)).items():
                if claim in held:
                    path = ("channels", index, "address" if claim.startswith("addr#") else "id")
                    owner = held[claim].uuid
                    fix = f"`jangada channel disable {owner}` first, or give this one another"
                    yield file.at(*path), path, f"{what} belongs to channel {owner}: {fix}"

    def _platform_problems(self, file: Loaded, name: str, entry: PlatformEntry) -> Iterator[_Problem]:
        if name not in self.platforms:
            yield from _without_queue(file, ("platforms", name), [queues.deliver_queue(name)])
        bound = registry_store.read_secret("platforms", name).get("base_url")
        if bound and registry.base_of(bound) != registry.base_of(entry.base_url):
            path = ("platforms", name, "base_url")
            what = (
                f"the credential of {name} is bound to {bound}: give it anew with "
                f"`jangada platform credential {name} --base-url {entry.base_url}`, then apply again"
            )
            yield file.at(*path), path, what

    def _aggregator_problems(self, file: Loaded) -> Iterator[_Problem]:
        new = _aggregator(file)
        old = self.aggregators.get(new.name)
        if new.own_lane and not (old and old.own_lane):
            lanes = [queues.lane_name(new.name, own=True, bulk=bulk) for bulk in (False, True)]
            yield from _without_queue(file, ("name",), [queues.lane_queue(lane) for lane in lanes])
        left = [one for one in self.left if one.aggregator == new.name and one.type != new.type]
        if old and old.type != new.type and left and not self.prune:
            what = (
                f"{old.type} becomes {new.type}, but {len(left)} of its channels are not in the file: "
                "list them, or have them disabled with --prune"
            )
            yield file.at("type"), ("type",), what
        known = registry_store.read_secret("aggregators", new.name)
        if not self.missing(file):
            config = {**new.config, **{key: known[key] for key in file.secrets}}
            for path, what in config_problems(new.type, config, clear=file.secrets):
                if len(path) > 1 and path[1] in file.secrets:
                    give = f"`jangada aggregator secret {new.name} {path[1]}`"
                    yield file.at(*path), path, f"the secret that was given does not fit: {what}; {give}"

    def missing(self, file: Loaded) -> list[str]:
        """Secrets of an aggregator that are not in SSM yet."""
        if not file.aggregator or not file.secrets:
            return []
        known = registry_store.read_secret("aggregators", file.aggregator.name)
        return [key for key in file.secrets if key not in known]

    # --- what to do -----------------------------------------------------------------------------------------------

    def steps(self) -> Iterator[Step]:
        """Platforms, then aggregators, then channels: each stands on those before it."""
        for file in self.files:
            for name, entry in file.platforms.items():
                yield self._platform(name, entry)
        for file in self.files:
            if file.aggregator:
                yield self._aggregator(file)
        for one in sorted(self.left, key=lambda one: one.uuid):
            what = f"{one.address} {one.workspace}"
            if self.prune and one.enabled:
                yield Step("channel", one.uuid, "disabled", what, _disable(one.uuid))
            else:
                why = "not in the file" if one.enabled else "not in the file, disabled"
                yield Step("channel", one.uuid, "left", f"{what}; {why}")
        for file, _, channel in self.entries.values():
            yield self._channel(_channel(file, channel))

    def _platform(self, name: str, entry: PlatformEntry) -> Step:
        old = self.platforms.get(name)
        hidden = entry.credential == SECRET or bool(old and old.secret)
        new = Platform(name=name, secret=hidden, version=self.now, **entry.model_dump(exclude={"credential"}))
        action, detail = _compare(old, new, {"version"})
        write = (lambda: registry_store.put_platform(new)) if action != "same" else None
        return Step("platform", name, action, detail or new.base_url, write)

    def _aggregator(self, file: Loaded) -> Step:
        new = _aggregator(file, self.now)
        action, detail = _compare(self.aggregators.get(new.name), new, {"version"})
        about = f"{new.type}, {'own' if new.own_lane else 'shared'} lane"
        write = (lambda: registry_store.put_aggregator(new)) if action != "same" else None
        return Step("aggregator", new.name, action, detail or about, write)

    def _channel(self, new: Channel) -> Step:
        old = self.channels.get(new.uuid)
        action, detail = _compare(old, new, {"created_at", "enabled", "former"})
        about = " ".join(filter(None, (new.address, new.country, new.workspace)))
        if old and not old.enabled:
            detail = f"{detail or about}; disabled: `jangada channel enable {new.uuid}`"

        def make(registered: Channel | None) -> Channel:
            kept: dict[str, Any] = {"created_at": self.now}
            if registered:
                kept = {"created_at": registered.created_at, "enabled": registered.enabled}
            return new.model_copy(update=kept)

        def write() -> None:
            registry_store.change_channel(new.uuid, make, set(self.entries))

        return Step("channel", new.uuid, action, detail or about, write if action != "same" else None)

    def to_do(self) -> Iterator[str]:
        """Addresses to hand out, and secrets that must still be given."""
        for file in self.files:
            if file.aggregator and (told := egress_entry.told(file.aggregator.egress)):
                yield f"{file.aggregator.name}, egress {told}"
            for key in self.missing(file):
                name = file.aggregator.name if file.aggregator else ""
                yield f"give the secret {key}: `jangada aggregator secret {name} {key}`"
            for name, entry in file.platforms.items():
                if entry.credential == SECRET and not registry_store.read_secret("platforms", name):
                    yield f"give the credential of platform {name}: `jangada platform credential {name}`"


def _disable(uuid: str) -> Callable[[], object]:
    return lambda: registry_store.set_enabled(uuid, False)


def _aggregator(file: Loaded, version: int = 0) -> Aggregator:
    entry = file.aggregator
    assert entry is not None  # noqa: S101 - asked of files that have one
    return Aggregator(
        name=entry.name,
        type=entry.type,
        config={key: value for key, value in entry.config.items() if value != SECRET},
        secrets=file.secrets,
        lane=entry.lane,
        egress=entry.egress,
        vpn=entry.vpn,
        contacts=dict(entry.contacts),
        canary=entry.canary.model_dump(mode="json") if entry.canary else {},
        version=version,
    )


def _channel(file: Loaded, entry: ChannelEntry) -> Channel:
    account = _aggregator(file)
    fields = entry.model_dump(exclude={"uuid"})
    return Channel(uuid=str(entry.uuid), aggregator=account.name, type=account.type, **fields)


def _compare(old: BaseModel | None, new: BaseModel, aside: set[str]) -> tuple[Action, str]:
    """What happens to an entry, and which of its fields change (their values only where they are short)."""
    if old is None:
        return "new", ""
    before, after = old.model_dump(mode="json", exclude=aside), new.model_dump(mode="json", exclude=aside)
    changed = []
    for key, value in after.items():
        if isinstance(value, dict):
            inner = sorted(k for k in {*value, *before[key]} if value.get(k) != before[key].get(k))
            changed += [f"{key}.{name}" for name in inner]
        elif value != before[key]:
            changed.append(f"{key} {before[key]} -> {value}" if isinstance(value, str | int) else key)
    return ("changed", ", ".join(changed)) if changed else ("same", "")


def _without_queue(file: Loaded, path: Path, names: Iterable[str]) -> Iterator[_Problem]:
    for name in names:
        if depths.of(name) is None:
            yield file.at(*path), path, f"queue {name} does not exist: `terraform apply` makes it from the same file"
