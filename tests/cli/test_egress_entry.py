"""`egress` of aggregator files: what goes together, and which addresses are handed out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chalicelib import registry
from cli.aggregator_files import FileError, load
from tests.cli.conftest import Jangada

File = Callable[[str, str], str]
KANNEL = """
name: kannel-rw
type: KN
lane: own
egress: nat
config: {send_url: "https://kannel.example.org:13013/cgi-bin/sendsms", username: ilha, password: !secret }
"""
VPN = "vpn: {peer_ip: 197.99.0.1, their_networks: [10.99.1.0/24]}\n"
SMPP = "name: mtn\ntype: SMPP\negress: nat\nconfig: {host: 10.64.10.20, system_id: ilha, password: !secret }\n"


@pytest.mark.parametrize(
    ("text", "egress"),
    [
        pytest.param(KANNEL.replace("egress: nat\n", ""), "public", id="left out"),
        pytest.param(KANNEL.replace("nat", "public").replace("lane: own\n", ""), "public", id="public, shared lane"),
        pytest.param(KANNEL, "nat", id="nat"),
        pytest.param(KANNEL.replace("nat", "vpc") + VPN, "vpc", id="vpc"),
        pytest.param(SMPP.replace("nat", "public"), "public", id="an SMSC, said needlessly"),
    ],
)
def test_what_goes_together(text: str, egress: str) -> None:
    found = load(text, "file.yaml").aggregator
    assert found is not None
    assert found.egress == egress


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            KANNEL.replace("nat", "vpn"), "file.yaml:5: egress: Input should be 'public', 'nat' or 'vpc'", id="no such"
        ),
        pytest.param(
            KANNEL.replace("lane: own\n", ""),
            "file.yaml:4: egress: nat needs a lane of its own, which λ send_nat serves: write `lane: own`",
            id="shared lane",
        ),
        pytest.param(
            SMPP, "file.yaml:3: egress: is for HTTP types, and SMPP is an SMSC's: its way is `vpn`", id="SMSC"
        ),
        pytest.param(
            KANNEL.replace("nat", "vpc"),
            "file.yaml:5: egress: vpc needs the way there: write `vpn:` with peer_ip and their_networks",
            id="no way there",
        ),
        pytest.param(
            "name: at\ntype: AT\nlane: own\negress: vpc\nconfig: {username: ilha, api_key: !secret }\n" + VPN,
            "file.yaml:4: egress: vpc opens the ports that URLs in `config` name, and there is none",
            id="no port",
        ),
    ],
)
def test_what_does_not_is_named_with_what_to_do(text: str, problem: str) -> None:
    with pytest.raises(FileError) as error:
        load(text, "file.yaml")
    assert problem in str(error.value)


def test_the_operator_is_told_which_addresses_to_hand_out(
    jangada: Jangada, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JANGADA_EGRESS_ADDRESSES", raising=False)
    ours = KANNEL.replace("kannel-rw", "fast")  # whose lane there is
    ran = jangada("aggregator", "apply", file("fast.yaml", ours))
    assert (ran.status, ran.err) == (0, "")
    assert "to do: fast, egress nat: have it allow egress_addresses of `terraform output" in ran.out
    assert registry.aggregator("fast").egress == "nat"
    monkeypatch.setenv("JANGADA_EGRESS_ADDRESSES", "203.0.113.7 203.0.113.8")
    assert "nat: have it allow 203.0.113.7 and 203.0.113.8\n" in jangada("aggregator", "show", "fast").out
    changed = jangada("aggregator", "apply", file("fast.yaml", ours.replace("nat", "vpc") + VPN)).out
    assert "egress nat -> vpc" in changed
    assert "to do: fast, egress vpc: through its VPN; it sees us from source_addresses" in changed
    jangada("aggregator", "apply", file("fast.yaml", ours.replace("egress: nat\n", "")))
    assert "egress" not in jangada("aggregator", "show", "fast").out
