"""docs/smsc/onboarding.md tells the truth: its commands run in its order, AWS emulated and the SMSC simulated."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from chalicelib import registry, registry_store
from local.emulator import Emulator, create_resources
from tests.cli.aws_stub import Stub, serving
from tests.cli.conftest import Jangada
from tests.cli.test_onboarding import OUTPUTS, SMPP, VPN
from tests.cli.test_onboarding_check import simulated
from tests.support import Aws

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "smsc" / "onboarding.md").read_text()
COMMANDS = [
    shlex.split(line)[1:]
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.M | re.S)
    for line in re.findall(r"^\$ (.*)$", block, re.M)
]
STEPS = [line.split("|")[1].strip() for line in PAGE.splitlines() if line.startswith("| ")][1:]


def test_from_the_aggregators_papers_to_the_first_message(
    aws: Aws, emulator: Emulator, jangada: Jangada, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MTN_UG_PASSWORD", "hunter2")
    create_resources(emulator.endpoint, own_lanes=["mtn-ug"])
    aws.platform("main")
    (answers,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)
    Path(answers.split()[1]).write_text(answers)
    Path("outputs.json").write_text(json.dumps({"jangada": {"value": OUTPUTS}}))
    stub = Stub()
    with simulated() as smsc, serving(stub) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", url)
        stub.port = smsc.smpp_port
        for words in COMMANDS:
            typed = words == ["smsc", "new", "mtn-ug"]
            ran = jangada(*words, stdin="\n".join([*SMPP, *VPN, "", "", ""]) + "\n" if typed else "")
            assert ran.status == 0, (words, ran.out, ran.err)
            assert "hunter2" not in ran.out + ran.err
            if typed:
                Path("mtn-ug.yaml").unlink()  # the page goes on with the file of answers
            elif words[1] == "apply":
                here(smsc.smpp_port)
        assert [message.to for message in smsc.messages] == ["256770123123"] * 4
    assert "192.0.2.1" in Path("mtn-ug-form.md").read_text()
    assert "Every step that was taken is well." in Path("mtn-ug-test.md").read_text()


def here(port: int) -> None:
    """The SMSC of the page is simulated on this machine."""
    registry.reset()
    one = registry.aggregator("mtn-ug")
    config = {**one.config, "host": "127.0.0.1", "port": port}
    vpn = {**one.vpn, "their_networks": ["127.0.0.0/8"]}
    registry_store.put_aggregator(one.model_copy(update={"config": config, "vpn": vpn}))


def test_every_step_is_in_the_page() -> None:
    from tests.relay.test_check import FULL

    told = {*FULL, "tunnel", "route in AWS", "relay"} - {"logout"}
    assert told == set(STEPS)


def test_every_command_line_of_the_page_is_one(cli: Jangada) -> None:
    """Those that need AWS or other hands too: they parse."""
    from cli.main import parser_for

    for line in re.findall(r"^ *(?:\$ )?(jangada .*)$", PAGE, re.M):
        words = shlex.split(line)[1:]
        assert parser_for(words).parse_args(words), line
