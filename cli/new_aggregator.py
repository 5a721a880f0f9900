"""`jangada aggregator new`: questions made from the type's settings, each answer checked at once, an aggregator file.

A secret is asked for without echo and goes to SSM, where λ send reads it; the file says `!secret` in its place.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import yaml

from chalicelib.channels.config import ChannelConfig
from cli import aggregator_files, kinds, output
from cli.aggregator_files import SECRET, AggregatorFile, Loaded
from cli.output import Problem

TRIES: Final = 10  # wrong answers to one question: a program that answers would go on for ever


def new(options: argparse.Namespace) -> None:
    """Ask, write, and say what is left to do."""
    if options.output and os.path.exists(options.output):
        raise Problem(f"{options.output} is there already: give another --output")
    given: dict[str, str] = {}
    data = _answers(options) if options.answers else _ask(options, given)
    text = written(data)
    path = options.output or f"{data['name']}.yaml"
    loaded = aggregator_files.load(text, path)
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Problem(f"{path} is there already: give another name, or --output") from None
    print(f"wrote {path}")
    _keep(loaded, given)
    print(f"to do: `jangada aggregator apply {path}`")
    for key in loaded.secrets:
        if key not in given:
            print(f"to do: `jangada aggregator secret {data['name']} {key}`")
    _callbacks(loaded)


def _keep(loaded: Loaded, given: Mapping[str, str]) -> None:
    if not given or loaded.aggregator is None:
        return
    from chalicelib import registry_store

    name = loaded.aggregator.name
    try:
        registry_store.put_secrets(name, given)
    except Exception as error:
        from cli.main import explain

        raise Problem(
            f"the file is written, but its secrets are not kept: {explain(error)}; when the file is applied, give "
            f"them with `jangada aggregator secret {name} KEY`"
        ) from None
    print(f"kept in SSM: {', '.join(given)}")


def _answers(options: argparse.Namespace) -> dict[str, Any]:
    """The file's answers, checked as an aggregator file is: an error names file, line and key."""
    found = aggregator_files.read(options.answers).aggregator
    if found is None:
        raise Problem(f"{options.answers} has platforms only: name, type and config are expected")
    for key, wanted in (("name", options.name), ("type", options.type.upper())):
        if wanted and wanted != getattr(found, key):
            raise Problem(f"{options.answers} is of {key} {getattr(found, key)}, not {wanted}")
    return found.model_dump(mode="json", exclude_defaults=True)


# --- asking ---------------------------------------------------------------------------------------------------------


def _ask(options: argparse.Namespace, given: dict[str, str]) -> dict[str, Any]:
    code = _until(options.type, "type (a code of `jangada types`)", _type_problem).upper()
    print(f"{code}: {kinds.name_of(code)}")
    name = _until(options.name, "name, e.g. " + code.lower() + "-ug", lambda name: _field("name", name, code))
    data: dict[str, Any] = {"name": name, "type": code, "config": {}}
    common = ChannelConfig.model_fields
    for key in kinds.keys(code):
        if key["required"] or key["key"] not in common:
            _config(data, code, key, given)
    problems = [what for path, what in aggregator_files.config_problems(code, data["config"]) if len(path) == 1]
    if problems:
        raise Problem(f"config: {'; '.join(problems)}: run it again")
    print(f"more config keys: `jangada types {code}`")
    channel = _channel(code, data["config"])
    return data | ({"channels": [channel]} if channel else {})


def _type_problem(code: str) -> str:
    if code.upper() in kinds.SMSC_NAMES:
        return f"{code.upper()} is an SMSC, which has a VPN and more to it: see docs/smsc"
    return "" if code.upper() in kinds.codes() else f"no such type; {kinds.meant(code, kinds.codes())}"


def _field(key: str, value: str, code: str) -> str:
    from pydantic import ValidationError

    try:
        AggregatorFile.model_validate({"name": "x", "type": code, key: value})
    except ValidationError as error:
        return "; ".join(what for _, what in (aggregator_files._explain(dict(item), {}) for item in error.errors()))
    return ""


def _config(data: dict[str, Any], code: str, key: Mapping[str, Any], given: dict[str, str]) -> None:
    """Ask for one key; an optional one may be passed over."""
    name, config = key["key"], data["config"]
    about = f" ({key['about']})" if key["about"] else ""
    default = "" if key["default"] in (None, "", [], {}) else f" [{yaml.safe_dump(key['default']).split(chr(10))[0]}]"
    left = "" if key["required"] else ", empty to leave it"
    if key["secret"]:
        value = _secret(f"{name}{about}, not shown, empty to give it later", name, code, config)
        if value:
            given[name] = value
        if value or key["required"]:
            config[name] = SECRET
        return

    def problem(answer: str) -> str:
        if not answer:
            return "this one is needed" if key["required"] else ""
        return _config_problem(code, {**config, name: _value(answer, key)}, name)

    answer = _until("", f"{name}{about}: {key['kind']}{default}{left}", problem)
    if answer:
        config[name] = _value(answer, key)


def _value(answer: str, key: Mapping[str, Any]) -> Any:
    """As YAML would have it, but for text, which stays as it is typed."""
    if key["kind"] == "text" or key["kind"].startswith("one of"):
        return answer
    try:
        return yaml.safe_load(answer)
    except yaml.YAMLError:
        return answer


def _config_problem(code: str, config: Mapping[str, Any], name: str, clear: tuple[str, ...] = ()) -> str:
    found = aggregator_files.config_problems(code, config, clear)
    return "; ".join(what for path, what in found if path[1:2] == (name,))


def _secret(question: str, name: str, code: str, config: Mapping[str, Any]) -> str:
    for _ in range(TRIES):
        value = _hidden(question)
        problem = _config_problem(code, {**config, name: value}, name, (name,)) if value else ""
        if not problem:
            return value
        output.note(f"  {problem}")
    raise Problem(f"no usable answer for {name}")


def _hidden(question: str) -> str:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(f"{question}: ")
    return _line(question)


def _line(question: str) -> str:
    try:
        return input(f"{question}: ").strip()
    except EOFError:
        raise Problem(f"no answer to: {question}; nothing has been written") from None


def _until(given: str, question: str, problem: Callable[[str], str]) -> str:
    """An answer without a problem; `given` on the command line must have none."""
    if given:
        if found := problem(given):
            raise Problem(f"{given}: {found}")
        return given
    for _ in range(TRIES):
        answer = _line(question)
        found = problem(answer)
        if not found:
            return answer
        output.note(f"  {found}")
    raise Problem(f"no usable answer to: {question}; nothing has been written")


def _channel(code: str, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """One channel, if it is known by now."""
    right = {"uuid": "0" * 32, "address": "x", "workspace": "x", "platform": "x"}
    made: dict[str, Any] = {}
    for key, info in aggregator_files.ChannelEntry.model_fields.items():
        if key in ("id", "config"):
            continue

        def problem(answer: str, key: str = key) -> str:
            if not answer and key in ("uuid", "country"):
                return ""
            _, found = aggregator_files.channel_entry({**right, key: answer}, code, config)
            return "; ".join(what.partition(": ")[2] for what in found if what.startswith(f"{key}: "))

        more = ", empty for none yet" if key == "uuid" else ", empty to leave it" if key == "country" else ""
        answer = _until("", f"channel {key} ({info.description}){more}", problem)
        if key == "uuid" and not answer:
            return None
        if answer:
            made[key] = answer
    return made


# --- writing --------------------------------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    pass


def _represent(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    if value == SECRET:
        return dumper.represent_scalar("!secret", "", style="")
    return dumper.represent_str(value)


_Dumper.add_representer(str, _represent)


def written(data: Mapping[str, Any]) -> str:
    """The text of the file: each key of the config with what it is for."""
    from cli import descriptions

    code = str(data["type"]).upper()
    lines = [f"name: {_inline(data['name'])}", f"type: {code}  # {kinds.name_of(code)}"]
    if data.get("config"):
        lines.append("config:")
        for key, value in data["config"].items():
            about = descriptions.of(kinds.config_of(code), key)
            lines.append(f"  {key}: {_inline(value)}" + (f"  # {about}" if about else ""))
    for key, value in data.items():
        if key not in ("name", "type", "config", "channels"):
            lines.append(f"{key}: {_inline(value)}")
    if data.get("channels"):
        lines.append("channels:")
        lines += [f"  - {_inline(one)}" for one in data["channels"]]
    return "\n".join(lines) + "\n"


def _inline(value: Any) -> str:
    """In one line."""
    if value == SECRET:
        return "!secret"
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=10**9, sort_keys=False, allow_unicode=True)
    return text.strip().removesuffix("\n...").replace("!secret ''", "!secret").strip()


def _callbacks(loaded: Loaded) -> None:
    """Print what the aggregator is to call."""
    from chalicelib import channels
    from chalicelib.settings import settings

    file = loaded.aggregator
    assert file is not None  # noqa: S101 - it has just been written
    if file.type not in channels.CODES:
        return
    kind = channels.load(file.type)
    domain = file.config.get("callback_domain")
    base = f"https://{domain}" if domain else settings().callback_base
    token = "?token=SECRET" if "secret" in file.config and kind.token_in_url else ""
    print("for the aggregator, where it does not take them with each message:")
    for uuid in [str(one.uuid) for one in file.channels] or ["UUID"]:
        for action, methods in sorted(kind.routes().items(), key=lambda one: one[0] != "receive"):
            print(f"  {action}: {'/'.join(methods)} {base}/c/{kind.code.lower()}/{uuid}/{action}{token}")
    if not file.channels:
        print("  UUID is the platform's of each channel: `jangada channel url` prints them when it is added")
