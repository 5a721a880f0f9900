"""The key `egress` of an HTTP aggregator's file: which address it sees us come from, or the VPN that leads to it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from chalicelib.registry import SMSC_TYPES

Egress = Literal["public", "nat", "vpc"]
_URL: Final = re.compile(r"https?://")
_VARIABLE: Final = "JANGADA_EGRESS_ADDRESSES"  # of Terraform's output cli_environment


def problems(
    egress: str, code: str, lane: str, vpn: Mapping[str, Any], configs: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What does not go together: (key, what is wrong and what to do). `configs`: the account's and its channels'."""
    if egress == "public":
        return
    if code in SMSC_TYPES:
        yield ("egress",), f"is for HTTP types, and {code} is an SMSC's: its way is `vpn`; remove `egress`"
        return
    if lane != "own":
        yield ("egress",), f"{egress} needs a lane of its own, which λ send_{egress} serves: write `lane: own`"
    if egress == "vpc":
        if not (vpn.get("peer_ip") and vpn.get("their_networks")):
            yield ("egress",), "vpc needs the way there: write `vpn:` with peer_ip and their_networks"
        values = [value for config in configs for value in config.values() if isinstance(value, str)]
        if not any(_URL.match(value) for value in values):
            yield (
                ("egress",),
                "vpc opens the ports that URLs in `config` name, and there is none: write the gateway's URL there in "
                "clear, or use `egress: nat` for an aggregator on the internet",
            )


def told(egress: str) -> str:
    """What an operator must know of it: which addresses to hand out. "" for public."""
    if egress == "public":
        return ""
    if egress == "vpc":
        return "vpc: through its VPN; it sees us from source_addresses of `terraform output -json jangada`"
    addresses = os.environ.get(_VARIABLE, "").split()
    from_where = (
        " and ".join(addresses) or "egress_addresses of `terraform output -json jangada` (also in a new jangada.env)"
    )
    return f"nat: have it allow {from_where}"
