"""A Kannel group's addresses in our keys: its prefixes as rules, TON and NPI of senders and recipients."""

from __future__ import annotations

import re
from typing import Any, Final

_PREFIX: Final = re.compile(r"\+[0-9]*|[0-9]+")
_Type = tuple[int, int]  # TON and NPI


def types(config: dict[str, Any], *, senders: _Type, recipients: _Type, detected: bool, remarks: list[str]) -> None:
    """TON and NPI as Kannel writes them: digits have the group's, a number with + TON 1 and the group's NPI, a name 5
    and 0; where senders are not `detected`, all of them have the group's.

    `short_ton` and `short_npi` are of both senders and recipients: where a group has two, rules tell recipients apart.
    """
    short_ton, short_npi = senders if detected else recipients
    config |= {"short_ton": short_ton, "short_npi": short_npi}
    if not detected:
        config["source_ton"], config["source_npi"] = senders
    elif short_npi != 1:
        config["source_rules"] = [{"match": r"\+[0-9]+", "npi": short_npi}]
    ton, npi = recipients
    if not npi == short_npi == 1:
        config["dest_npi"] = npi
    rules = config.get("dest_rules", [])
    for rule in rules:
        if not rule["replace"].startswith("+"):
            rule["ton"] = ton
    if ton != short_ton:
        config["dest_rules"] = [*rules, {"match": "[0-9]+", "ton": ton}]
    if detected and short_ton != 1:
        remarks.append(
            "source-addr-ton: a sender of nine to fifteen digits has TON 1 here, with + or without; Kannel gave it TON "
            f"{short_ton} where it came without: if yours did, write source_rules: "
            f"[{{match: '\\+[0-9]+', ton: {short_ton}, npi: {short_npi}}}]"
        )
    if ton != 1:
        remarks.append(
            "dest-addr-ton: numbers with + have TON 1 there, as all international ones here; where yours came without "
            f"it, write dest_ton: {ton}"
        )


def unified(value: str, remarks: list[str]) -> dict[str, Any]:
    """`wanted,other,...;...` as rules. Kannel has them for recipients of MTs and senders of MOs alike; ours bring MO
    senders to E.164 where Kannel's prefix is that of a national form."""
    sent: list[tuple[str, str]] = []
    told: list[tuple[str, str]] = []
    for group in filter(None, (one.strip() for one in value.split(";"))):
        wanted, *others = (one.strip() for one in group.split(","))
        if not all(_PREFIX.fullmatch(one) for one in (wanted, *others)):
            raise ValueError(group)
        # Rules see + where an address begins with 00: such prefixes are one. A prefix for itself is no rule.
        named = [_international(one) for one in others]
        sent += [(one, wanted) for one in named if one != wanted]
        whole = _international(wanted)
        if whole.startswith("+"):
            told += [(one, whole) for one in named if one != whole]
        elif (ours := next((one for one in named if one.startswith("+")), "")) != "":
            told.append((wanted, ours))
        else:
            remarks.append(f"unified-prefix: {group} leaves senders of MOs in national form: set country")
    both = {"dest_rules": sent, "mo_source_rules": told}
    return {key: _prefix_rules(pairs) for key, pairs in both.items() if pairs}


def _international(prefix: str) -> str:
    return f"+{prefix[2:]}" if prefix.startswith("00") else prefix


def _prefix_rules(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    """The longest prefix first, as a rule is the only one for an address; of equals the first."""
    found: dict[str, str] = {}
    for prefix, wanted in sorted(pairs, key=lambda pair: -len(pair[0])):
        # A prefix with neither + nor 0 is a country's, or a short code's: + is before the first.
        optional = "" if prefix.startswith(("+", "0")) else r"\+?"
        found.setdefault(f"{optional}{re.escape(prefix)}(.*)", rf"{wanted}\g<1>")
    return [{"match": match, "replace": replace} for match, replace in found.items()]
