"""`jangada docs smsc`: docs/smsc/smpp.md, the reference of the SMPP keys, from the code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cli.jasmin_knobs import JASMIN
from cli.kannel_knobs import KANNEL
from cli.output import Problem
from cli.smsc_knobs import Knob
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

`jangada smsc import FILE` writes such files from a Kannel configuration, or from what Jasmin's console shows of its
connectors. What SMSCs do that the standard does not say, and which key answers it: [quirks.md](quirks.md). How links
are seen, asked (query_sm, cancel_sm, replace_sm) and logged while they run, and what happens after an outage:
[relay.md](relay.md).
"""
_OUTBIND: Final = """
## The SMSC calls: outbind

With `outbind_port` the receiver (`bind: receiver` or `pair`) or the transceiver is not connected: the relay listens on
that port until the SMSC connects and sends outbind (SMPP 3.4 section 2.2.1), checks its name and password, and answers
with its own bind, as `system_id`, over the same connection. From then on it is a bind like any other; after its end the
next outbind is waited for. The transmitter of a pair is connected as ever. `host` is still needed: it is the SMSC's.

```yaml
config:
  {host: 10.64.10.20, system_id: ilha, password: !secret, bind: pair, outbind_port: 2776,
   outbind_networks: [10.64.10.0/24], outbind_system_id: SMSC, outbind_password: !secret}
```

- Every task of the relay listens. Who takes a call takes the bind's lease first, so that there are never more than
  `binds` connections; a call that comes to another task while the bind is held is closed after 5 s.
- Closed as well, with one log line (`smsc_fault`, once a minute each) and counted as `faults`: calls from other
  networks, wrong names and passwords, silence for 5 s (or `login_timeout`, where that is less), with `tls` no
  handshake in 5 s, and calls that no bind waits for. None of these makes the link begin slowly.
- After a refusal of our bind calls are closed for `refused_delay`, as connecting would wait.
- With `tls` we are the server: `tls_cert` and `tls_key` are ours, and with `tls_ca` the SMSC needs a certificate too.
- On AWS the address to hand out is that of a load balancer: [deploy.md](../deploy.md). Each account needs a port of
  its own.
- Neither Kannel nor Jasmin has anything like it.
"""
_RULES: Final = """
## Addresses by pattern

`source_rules` (senders) and `dest_rules` (recipients) say how an SMSC wants addresses, and `mo_source_rules` (phones,
in MOs and in receipts) and `mo_dest_rules` (our address, in MOs) what those mean that it writes:

```yaml
config:
  source_rules:
    - {match: "[0-9]{3,6}", ton: 3, npi: 0}                     # short codes are the network's own
    - {match: "[A-Za-z].*", ton: 5, npi: 0}                     # names
  dest_rules:
    - {match: '\\+256(7[0-9]{8})', replace: '0\\1', ton: 2, npi: 1}  # +256772123456 is sent as 0772123456
  mo_source_rules:
    - {match: '0(7[0-9]{8})', replace: '+256\\1'}                # and 0772123456 is +256772123456
```

- The first rule whose `match`, a regular expression of at most 200 characters, fits the whole address is the only one.
  A rule with neither `replace` nor TON nor NPI leaves addresses alone that a later one would fit.
- Rules see a number as `+` and digits where it is international, however it has been written (00, separators), and
  else as digits. In MOs it is international where its TON is 1 or it begins with + or 00.
- `replace` is what is written instead, with `\\1` for the first group. In what is sent, `+` in front means that it is
  international and is not written itself; 00 is. In MOs write `+` and country code.
- TON and NPI are those of the rule, else `source_ton` and the like, else by the look of what is sent: with + or 00 or
  as nine to fifteen digits without a 0 in front a number is international (1, 1), else it has `short_ton` and
  `short_npi`; what is no number is alphanumeric (5, 0). Give `ton` where a rule writes 772123456: it looks
  international.
- `source_addr` and `mo_address` come first. Senders that are empty, and addresses of more than 21 characters, which
  SMPP has no room for, are shown to no rule. No group may be repeated, and five repeats may be of no fixed length: with
  so short addresses no pattern takes long.
- A receipt carries the phone as the SMSC knows it, and is the message's only where it is the same phone: what
  `dest_rules` change, `mo_source_rules` must bring back.
- A channel may have `source_rules` and `dest_rules` of its own, in place of the account's. What arrives is read before
  anybody knows whose it is: the others are the account's.
"""
_ALPHABETS: Final = """
## Alphabets and segments

A text is written in `alphabet`, with `data_coding`, where all of it can be, and else in UCS-2, with `ucs2_data_coding`.
How much of it a segment holds depends on what the SMSC makes of it for the air:

| `alphabet` | a segment, and a part of a longer text | for characters of |
|---|---|---|
| `gsm7`, `gsm7_packed` | 160 and 153 septets | GSM 7-bit |
| `latin1`, `ascii`, `windows-1252`, `utf-8` | 160 and 153 septets, since the SMSC makes such | both GSM 7-bit and it |
| the same with `segment_limits` | octets, 140 say: the SMSC hands them to the phone | the alphabet |
| `iso8859-9` (Turkish), `iso8859-5` (Cyrillic) | 140 and 134 octets, handed to the phone | the alphabet |
| `iso8859-8` (Hebrew), `shift_jis` (Japanese) | the same | the alphabet |
| `ucs2`, and what fits none of these | 70 and 67 UTF-16 units | Unicode |

```yaml
config:
  alphabet: iso8859-9                          # data_coding 0 is Latin-5 there, in both directions
  segment_limits: {iso8859-9: 140, ucs2: [70, 66]}
  mo_charsets: {3: iso8859-9}                  # and so is 3 in MOs
```

- A part is a septet, unit or octet shorter with `long_messages: udh16`. Parts in UTF-8 are shorter where they would be
  more octets than short_message holds with its header: 254, 255 in SMPP 5.0, 160 in 3.3. In UTF-8 and Shift JIS a text
  goes in UCS-2 after all where that takes fewer segments.
- `iso8859-5`, `iso8859-8` and `shift_jis` have numbers of their own, 6, 7 and 5, which `data_coding` is where it is not
  given; data_coding 0 then means GSM 7-bit, unless `mo_alphabet` says otherwise: in MOs, and a text of GSM 7-bit that
  takes fewer segments so is sent with it. `iso8859-9` has none:
  `data_coding: 3` is for an SMSC that has it in the place of Latin-1, and then MOs with 3 are read so.
- `encoding: smart` writes look-alikes for what the alphabet lacks, where that avoids UCS-2: plain quotes and dashes,
  three dots, base letters without their accents. With `national_languages`, whose tables may have such letters, only
  what RapidPro replaces.
- Of a message in message_payload (`long_messages: payload`) the SMSC makes the segments. They count for `max_tps` and
  `max_parts` as if they were ours.
- `message_class: 0`, of the account, a channel or a message, sends texts as flash: with data_coding 0x10, or 0xF0 with
  `class_coding: class`, and 0x18 in UCS-2. Other numbers have no class: where `data_coding` or `ucs2_data_coding` is
  one, a text that is to be flash fails. Binary messages: [platform.md](../platform.md#what-is-no-text-to-a-phone).
- `jangada segments TEXT --link ACCOUNT` shows what an account makes of a text: [cli.md](../cli.md).

## Messages as data_sm

With `submit_with: data_sm` (SMPP 3.4 section 4.7.1) the text is in message_payload, cut as it would be in submit_sm,
headers and sar TLVs included, and `validity` is qos_time_to_live, in seconds from now whatever `validity_form` says.
data_sm has no field for `schedule`, `priority_flag`, `protocol_id` and `replace_if_present`: they are refused beside
it. An account may have it for one channel alone.

## The SMSC's version

What an SMSC says that it speaks (sc_interface_version in the bind's answer, SMPP 3.4 section 5.3.2.25) stands in
`bind_up` in the log, and beside the bind in `jangada smsc status` and the health page; empty where it does not say, as
many that speak 3.4, or says 0. Where it is less than `interface_version`, each bind is followed by a warning,
`smsc_older`.

TLVs go to such an SMSC too, also where it says 3.3 or nothing. A submit has none but those that a key asks for
(`long_messages: sar` and `payload`, `more_messages`, `tlvs`), and each is one without which the text, its parts or what
the operator demands would be lost; and what an SMSC says of itself is not always so. For one that takes none,
`interface_version: 33` allows none.

## What phones send

An MO is read by its data_coding: GSM 7-bit, Latin-1, UCS-2 and the rest of SMPP 3.4 section 5.2.19, the message classes
of GSM (0x10, 0xF1, ...) too, with `mo_alphabet` and `mo_charsets` where the SMSC means something else. 2, 4, 0x14 to
0x17 and 0xF4 to 0xF7 are binary. What is binary, has a port (in the user data header, or in destination_port and
source_port) or is no certain text goes to the platform with its octets, header and data_coding:
[platform.md](../platform.md#what-is-no-text).

Parts of a long MO are joined by header or by sar TLVs, in whatever order, over whatever bind. They may be cut anywhere,
between the octets of a character too: octets are put together before they are read.

TLVs of the SMSC's own in an MO or a receipt, with tags that no specification has (the network, a campaign), are kept in
the trace: `tlvs 1400=3132` in `jangada why` is the tag and the octets in hex, 1,000 characters at most. The platform is
not told.

alert_notification (a phone that somebody has failed to reach can be reached) is logged with the number masked, and with
ms_availability_status (`available`, `denied`, `unavailable`), and counted as `alerts`. Of a flood not each is logged.
"""
_JASMIN: Final = """
`jangada smsc import` reads what `smppccm -s CID` prints, of one connector or of several, with the session around them
or without. What Jasmin 0.11.1 writes to an SMSC, of messages of its HTTP API:

- TON and NPI are those of the connector, whatever sender and recipient look like. A `+` that a message came with is
  sent, which it never is here.
- A message of one part has esm_class 3, store and forward, and so `esm_mode: 3` is written; parts of a long one have
  mode 0 there, and 3 here too.
- A connector sends a message when the one before has been answered. Here `window` is 10 unless it is written.
- `validity`, `priority` and `coding` of a connector are shown, but no message has them: they are told, not written. A
  validity period that the API is given is an absolute time: `validity_form: absolute`.
- A receipt is asked for where a message wants one; here always, unless `receipts` says otherwise.

What comes over Jasmin's SMPP server goes on as its client wrote it: TON, NPI and the rest are the client's.
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
    shared = [name for name in SmppConfig.model_fields if name in LinkConfig.model_fields]
    own = [name for name in SmppConfig.model_fields if name not in LinkConfig.model_fields]
    schema = SmppConfig.model_json_schema()
    return "\n".join(
        [
            _HEAD,
            "## Keys of every SMSC type\n",
            *_keys(schema, shared),
            "\n## Keys of SMPP\n",
            *_keys(schema, own),
            *_inner_keys(schema),
            _ALPHABETS.rstrip("\n"),
            _RULES.rstrip("\n"),
            _OUTBIND,
            "## Coming from Kannel\n",
            *_knobs("Kannel, `smsc = smpp`", KANNEL),
            "\n## Coming from Jasmin\n",
            *_knobs("Jasmin, SMPP client connector", JASMIN),
            _JASMIN,
        ]
    )


Schema = Mapping[str, Any]


def _keys(schema: Schema, names: Iterable[str]) -> Iterable[str]:
    yield "| key | value | default | about |"
    yield "|---|---|---|---|"
    for name in names:
        about = schema["properties"][name]
        default = "needed" if name in schema.get("required", ()) else _default(about.get("default"))
        yield f"| `{name}` | {_value(about)} | {default} | {_cell(about.get('description', ''))} |"


def _inner_keys(schema: Schema) -> Iterable[str]:
    """A table for each kind of mapping that is an item of a list, under the keys that have such lists."""
    lists: dict[str, list[str]] = {}
    for name, about in schema["properties"].items():
        if reference := about.get("items", {}).get("$ref"):
            lists.setdefault(reference.rsplit("/", 1)[-1], []).append(f"`{name}`")
    for kind, names in lists.items():
        yield f"\n### Keys of an item of {', '.join(names)}\n"
        yield from _keys(schema["$defs"][kind], schema["$defs"][kind]["properties"])


def _value(about: Schema) -> str:
    """What a key takes, from its JSON Schema: the choices where there are some, else kind and limits."""
    for one in about.get("anyOf", ()):
        if one.get("type") != "null":
            return _value(one)
    if "enum" in about or "const" in about:
        return ", ".join(f"`{one}`" for one in about.get("enum", [about.get("const")]))
    match about.get("type", "string"):
        case "boolean":
            return "`true`, `false`"
        case "array":
            items = about["items"]
            return f"list of {'mappings, see below' if '$ref' in items else _value(items)}"
        case "object":
            names = f" of {_value(about['propertyNames'])}" if "propertyNames" in about else ""
            return f"mapping{names} to {_value(about['additionalProperties'])}"
        case "string":
            return "`!secret`" if about.get("writeOnly") else "text"
        case kind:
            return f"{'whole number' if kind == 'integer' else 'number'}{_limits(about)}"


def _limits(about: Schema) -> str:
    low, high, above = about.get("minimum", about.get("ge")), about.get("maximum", about.get("le")), "exclusiveMinimum"
    if above in about:
        return f" above {about[above]}" + (f", up to {high}" if high is not None else "")
    if low is None:
        return ""
    return f", {low} to {high}" if high is not None else f", {low} or more"


def _default(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _knobs(title: str, knobs: Iterable[Knob]) -> Iterable[str]:
    yield f"| {title} | here | |"
    yield "|---|---|---|"
    for knob in knobs:
        yield f"| `{knob.name}` | {f'`{knob.key}`' if knob.key else 'none'} | {_cell(knob.remark)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
