"""`jangada smsc new | form | secret | check`: from an aggregator's documentation, VPN form and credentials to the first
message (docs/smsc/onboarding.md)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cli import output
from cli.output import Problem

if TYPE_CHECKING:
    from cli.aggregator_files import Loaded


def arguments(commands: Any) -> None:
    """These actions of `jangada smsc`."""
    one = commands.add_parser("new", help="write the aggregator file of an SMSC account, from answers to questions")
    one.add_argument("name", metavar="NAME", help="names its queue and its secrets; cannot be changed later")
    one.add_argument(
        "--from", dest="answers", default="", metavar="FILE", help="YAML with the keys of an aggregator file"
    )
    one.add_argument("--out", default=".", metavar="DIR", help="where the file goes (default: here)")
    one.add_argument("--all", action="store_true", help="ask about every key of the type")
    one.set_defaults(run=new)
    one = commands.add_parser("form", help="our side of the aggregator's VPN and connection form, as Markdown")
    _file_options(one)
    one.add_argument(
        "--outputs", default="", metavar="FILE", help="of `terraform output -json`; without: not known yet"
    )
    one.add_argument("--tps", default="", metavar="N", help="messages a second that are usual")
    one.add_argument("--peak", default="", metavar="N", help="messages a second at the peak")
    one.add_argument("--per-day", default="", metavar="N", help="messages a day")
    one.add_argument("--contact", action="append", default=[], metavar="KIND=WHO", help="of ours; may be repeated")
    one.add_argument("--out", default="", metavar="FILE", help="write it there (default: to the terminal)")
    one.set_defaults(run=form)
    one = commands.add_parser("secret", help="give the secrets of an account, from a prompt, a pipe or a file")
    _file_options(one)
    one.add_argument("--file", default="", metavar="FILE", help="the secret alone, or YAML `key: value` where several")
    one.add_argument("--from-env", default="", metavar="VARIABLE", help="the secret is in this environment variable")
    one.set_defaults(run=secret)
    from cli import onboarding_check

    onboarding_check.arguments(commands)


def _file_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="an SMSC account")
    parser.add_argument("--dir", default=".", metavar="DIR", help="where NAME.yaml is (default: here)")


# --- new ------------------------------------------------------------------------------------------------------------


def new(options: argparse.Namespace) -> None:
    """Write NAME.yaml, which is checked; no file is written over."""
    from cli import aggregator_files, onboarding_questions

    path = Path(options.out) / f"{options.name}.yaml"
    if path.exists():
        raise Problem(f"{path} is there already: edit it, or choose another NAME or --out")
    if options.answers:
        data = _answers(options.answers, options.name)
    else:
        data = onboarding_questions.ask(options.name, every=options.all)
    text = written(data)
    loaded = aggregator_files.load(text, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    print(f"wrote {path}")
    name = options.name
    name = options.name
    steps = [(f"jangada smsc form {name}", "our side of their form; again after `terraform apply`")]
    steps += [(f"jangada aggregator apply {path}", "after `terraform apply`, which makes its queues and its VPN")]
    if loaded.secrets:
        steps += [(f"jangada smsc secret {name}", f"{', '.join(loaded.secrets)}: to SSM, and nowhere else")]
    steps += [(f"jangada smsc check {name} --to NUMBER", "the test phase, step by step")]
    width = max(len(command) for command, _ in steps)
    print("next:")
    for command, about in steps:
        print(f"  {command.ljust(width)}  {about}")


def _answers(path: str, name: str) -> dict[str, Any]:
    """What a file of answers says, checked.

    Raises:
        Problem, FileError: it cannot be used; the text has a line for each problem.
    """
    from cli import aggregator_files, onboarding_questions

    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    data = aggregator_files.load(text if "\nname:" in f"\n{text}" else f"{text}\nname: {name}\n", path).aggregator
    if data is None:
        raise Problem(f"{path}: has platforms only; an SMSC account needs type, config and channels")
    if data.name != name:
        raise Problem(f"{path}: is about {data.name}, not {name}")
    if data.type not in onboarding_questions.types():
        raise Problem(
            f"{path}: type {data.type} is served over HTTP; SMSC types are {', '.join(onboarding_questions.types())}"
        )
    problems = onboarding_questions.vpn_problems(data.vpn, str(data.config.get("host", "")))
    if problems:
        raise Problem("\n".join(f"{path}: {what}" for what in problems))
    return data.model_dump(mode="json", exclude_defaults=True, exclude_none=True)


class _Dumper(yaml.SafeDumper):
    pass


def _scalar(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    from cli.aggregator_files import SECRET

    if value == SECRET:
        return dumper.represent_scalar("!secret", "")
    return dumper.represent_scalar("tag:yaml.org,2002:str", value)


_Dumper.add_representer(str, _scalar)
_ORDER = ("name", "type", "lane", "config", "vpn", "contacts", "channels", "platforms")


def written(data: dict[str, Any]) -> str:
    """An aggregator file."""
    ordered = {key: data[key] for key in _ORDER if data.get(key)}
    text = yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text.replace("!secret ''", "!secret")


# --- the file, wherever it is ---------------------------------------------------------------------------------------


def loaded(options: argparse.Namespace) -> Loaded:
    """The account's file.

    Raises:
        Problem, FileError: there is none, or it cannot be used.
    """
    from cli import aggregator_files

    path = Path(options.dir) / f"{options.name}.yaml"
    if not path.exists():
        raise Problem(f"no {path}: `jangada smsc new {options.name}` writes it, --dir says where it is")
    found = aggregator_files.read(str(path))
    if found.aggregator is None:
        raise Problem(f"{path} has platforms only")
    return found


def form(options: argparse.Namespace) -> None:
    """Write the form."""
    from cli import onboarding_form

    found = loaded(options)
    text = onboarding_form.page(found, options)
    if not options.out:
        print(text, end="")
        return
    Path(options.out).write_text(text, encoding="utf-8")
    print(f"wrote {options.out}")


# --- secret ---------------------------------------------------------------------------------------------------------


def secret(options: argparse.Namespace) -> None:
    """Store the secrets that the account's file marks as such; none is printed."""
    from chalicelib import registry, registry_store
    from cli import aggregator_files, remarks

    known = {one.name: one for one in registry.aggregators()}
    if options.name in known:
        one = known[options.name]
        code, config, keys = one.type, dict(one.config), one.secrets
    else:
        found = loaded(options)
        assert found.aggregator is not None  # noqa: S101 - `loaded` has seen to it
        code, config, keys = found.aggregator.type, dict(found.aggregator.config), found.secrets
    if not keys:
        raise Problem(f"the file of {options.name} marks no key as !secret")
    given = _given(options, keys)
    held = {**registry_store.read_secret("aggregators", options.name), **given}
    checked = {**config, **{key: held.get(key, aggregator_files.SECRET) for key in keys}}
    for path, what in aggregator_files.config_problems(code, checked, clear=keys):
        if len(path) > 1 and path[1] in given:
            raise Problem(f"{path[1]} of {options.name}: {what}")
    registry_store.put_secrets(options.name, given)
    print(f"{', '.join(given)} of {options.name}: stored; in use within 30 s")
    remarks.of(options.name, code, checked, only=given)
    missing = [key for key in keys if key not in held]
    if missing:
        print(f"still missing: {', '.join(missing)}")


def _given(options: argparse.Namespace, keys: tuple[str, ...]) -> dict[str, str]:
    """The secrets by key, from wherever they come."""
    import sys

    if not options.file and not options.from_env and sys.stdin.isatty():
        return {key: output.ask_secret(f"{key} of {options.name}") for key in keys}
    if options.file:
        try:
            text = Path(options.file).read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise Problem(f"{options.file}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    else:
        text = output.ask_secret(" and ".join(keys), options.from_env)
    if len(keys) == 1:
        if not text:
            raise Problem(f"no value for {keys[0]}")
        return {keys[0]: text}
    try:
        data = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes text, lists and mappings only
    except yaml.YAMLError:
        data = None
    if not isinstance(data, dict) or not all(isinstance(value, str) and value for value in data.values()):
        raise Problem(f"several secrets are given as YAML, a line for each: {', '.join(f'{key}: ...' for key in keys)}")
    unknown = [str(key) for key in data if key not in keys]
    if unknown:
        raise Problem(f"not marked as !secret: {', '.join(unknown)}; there are {', '.join(keys)}")
    return {str(key): value for key, value in data.items()}
