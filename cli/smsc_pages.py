"""`jangada docs smsc`: docs/smsc/smpp.md, the reference of the SMPP keys, from the code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo

from cli.kannel import JASMIN, KANNEL, Knob
from cli.output import Problem
from smsc_relay.config import LinkConfig
from smsc_relay.smpp.config import SmppConfig

PAGE: Final = "docs/smsc/smpp.md"
_HEAD: Final = """\
# SMPP

Made by `jangada docs smsc` from the code. An account is an aggregator file (see [aggregators.md](../aggregators.md)):

```yaml
name: mtn-ug
type: SMPP
config: {host: 10.64.10.20, port: 2775, system_id: ilha, password: !secret, window: 20, max_tps: 50}
channels:
  - {uuid: a86f686f-9168-4dd9-a03e-77f11b265b56, address: "8080", country: UG, workspace: unicef, platform: main}
platforms:
  main: {base_url: "https://rapidpro.example.org", credential: !secret}
```

`jangada smsc import kannel.conf` writes such files from a Kannel configuration. What SMSCs do that the standard does
not say, and which key answers it: [quirks.md](quirks.md). How links are seen, asked (query_sm, cancel_sm, replace_sm)
and logged while they run, and what happens after an outage: [relay.md](relay.md).
"""


def run(options: Any) -> None:
    """Write the page, or check that it is as written."""
    path = Path(options.file)
    if options.check:
        if not path.exists() or path.read_text(encoding="utf-8") != page():
            raise Problem(f"{path} is not up to date: run `jangada docs smsc`")
        print(f"{path} is up to date")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(), encoding="utf-8")
    print(f"wrote {path}")


def page() -> str:
    """The page's text."""
    shared = {name: info for name, info in SmppConfig.model_fields.items() if name in LinkConfig.model_fields}
    own = {name: info for name, info in SmppConfig.model_fields.items() if name not in LinkConfig.model_fields}
    return "\n".join(
        [
            _HEAD,
            "## Keys of every SMSC type\n",
            *_keys(shared),
            "\n## Keys of SMPP\n",
            *_keys(own),
            "\n## Coming from Kannel\n",
            *_knobs("Kannel, `smsc = smpp`", KANNEL),
            "\n## Coming from Jasmin\n",
            *_knobs("Jasmin, SMPP client connector", JASMIN),
            "",
        ]
    )


def _keys(fields: Mapping[str, FieldInfo]) -> Iterable[str]:
    yield "| key | default | about |"
    yield "|---|---|---|"
    for name, info in fields.items():
        yield f"| `{name}` | {_default(info)} | {_cell(info.description or '')} |"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "needed"
    value = info.default
    if value is None or value in ("", (), {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _knobs(title: str, knobs: Iterable[Knob]) -> Iterable[str]:
    yield f"| {title} | here | |"
    yield "|---|---|---|"
    for knob in knobs:
        yield f"| `{knob.name}` | {f'`{knob.key}`' if knob.key else 'none'} | {_cell(knob.remark)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
