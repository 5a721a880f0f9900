"""infra/ as Terraform plans it, with AWS provider 6's own schema behind it: every argument is one that it knows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.registry import SMSC_TYPES
from chalicelib.settings import Settings
from local import emulator
from smsc_relay.cimd2.config import Cimd2Config
from smsc_relay.config import LinkConfig
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.ucp.config import UcpConfig
from tests.infra.terraform import INFRA, OLDEST, Plan, Terraform, copy_infra, make_mirror, terraform

pytestmark = pytest.mark.timeout(300)  # the first packaging on a machine resolves every wheel
EXAMPLE = INFRA / "environments" / "example" / "aggregators"


@pytest.fixture(scope="module")
def plan(example: Terraform) -> Plan:
    """The example's plan."""
    return example.plan()


@pytest.fixture
def changed(tmp_path: Path, example: Terraform) -> Callable[..., Terraform]:
    """The example with other files of aggregators (name=None: without it), and `replace` in its main.tf."""

    def make(replace: tuple[str, str] = ("", ""), **files: str | None) -> Terraform:
        # Ready as the example is: Terraform's own folder comes along.
        shutil.copytree(example.folder.parent.parent, tmp_path / "infra", symlinks=True)
        folder = tmp_path / "infra" / "environments" / "example"
        for name, text in files.items():
            path = folder / "aggregators" / f"{name.replace('_', '-')}.yaml"
            path.unlink(missing_ok=True)
            if text is not None:
                path.write_text(text)
        main = folder / "main.tf"
        assert replace[0] in main.read_text()
        main.write_text(main.read_text().replace(*replace) if replace[0] else main.read_text())
        return Terraform(folder, example.mirror)

    return make


def test_formatted() -> None:
    done = subprocess.run(
        [terraform(), "fmt", "-check", "-recursive", INFRA], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run `terraform fmt -recursive infra`:\n{done.stdout}{done.stderr}"


def test_every_argument_is_one_that_provider_6_knows(example: Terraform) -> None:
    said = json.loads(example.run("validate", "-json").output)
    assert [one["summary"] for one in said["diagnostics"]] == []
    assert said["valid"]


def test_every_argument_is_one_that_provider_5_knows_too(functions: Path, tmp_path: Path) -> None:
    """The oldest that versions.tf takes; of its bindings only names and types are known (infra/check/schema.py)."""
    assert f'">= {OLDEST.rpartition(".")[0]}, < 7.0"' in (INFRA / "versions.tf").read_text()
    infra = copy_infra(tmp_path / "infra", functions)
    older = Terraform(infra / "environments" / "example", make_mirror(tmp_path / "provider", OLDEST))
    older.init()
    said = json.loads(older.run("validate", "-json").output)
    assert [one["summary"] for one in said["diagnostics"] if one["severity"] == "error"] == []
    path = infra / "modules" / "relay" / "main.tf"
    path.write_text(path.read_text().replace("deployment_maximum_percent ", "deployment_maximum_percents "))
    assert "deployment_maximum_percents" in older.run("validate", "-no-color").flat


def test_an_argument_that_it_does_not_know_is_found(changed: Callable[..., Terraform]) -> None:
    broken = changed()
    path = broken.folder.parent.parent / "modules" / "messaging" / "main.tf"
    path.write_text(path.read_text().replace("fifo_queue  ", "fifo_queues "))
    assert "fifo_queues" in broken.run("validate", "-no-color").flat


def test_every_variable_and_output_is_described() -> None:
    for path in INFRA.rglob("*.tf"):
        for part in path.read_text().split("\n}\n"):
            if part.lstrip().startswith(('variable "', 'output "')):
                assert "description" in part, f"{path}: {part.lstrip().splitlines()[0]}"


@pytest.mark.parametrize(
    "folder", [".", *(f"modules/{name}" for name in ("messaging", "network", "relay", "state", "vpn"))]
)
def test_every_variable_but_a_switch_is_validated(folder: str) -> None:
    for part in (INFRA / folder / "variables.tf").read_text().split("\n}\n"):
        if part.strip() and not re.search(r"type += bool", part):
            assert "validation {" in part, part.lstrip().splitlines()[0]


# --- queues and tables ----------------------------------------------------------------------------------------------


def test_queues_and_tables_are_those_of_the_emulator(plan: Plan) -> None:
    """What every other test runs on is what is deployed."""
    own = ["infobip-ke", "mtn-ug", "mtn-ug-2"]
    wanted = {f"{name}.fifo": count for name, count in emulator.queue_names(own, ["main"]).items()}
    wanted["later"] = emulator.RECEIVES
    queues, dead = plan.of("module.messaging.aws_sqs_queue.this"), plan.of("module.messaging.aws_sqs_queue.dead")
    prefix = "jangada-example-"
    assert {one["name"].removeprefix(prefix) for one in queues.values()} == set(wanted)
    assert {one["name"] for one in dead.values()} == {
        prefix + name.replace(".fifo", "-dlq.fifo") if ".fifo" in name else f"{prefix}{name}-dlq" for name in wanted
    }
    for one in [*queues.values(), *dead.values()]:
        assert one["message_retention_seconds"] == 14 * 86_400
        assert one["sqs_managed_sse_enabled"]
        if one["name"].endswith(".fifo"):
            assert (one["deduplication_scope"], one["fifo_throughput_limit"]) == ("messageGroup", "perMessageGroupId")
    tables = {one["name"] for one in plan.of("module.state.aws_dynamodb_table.this").values()}
    names: dict[str, Any] = {**dict.fromkeys((one.name for one in fields(Settings)), ""), "prefix": prefix}
    settings = Settings(**names)
    assert tables == {settings.table(name) for name in ("registry", "ledger", "trace", "leases")}


def test_tables_are_safe(plan: Plan) -> None:
    tables = plan.of("module.state.aws_dynamodb_table.this")
    for one in tables.values():
        assert one["deletion_protection_enabled"]
        assert one["point_in_time_recovery"][0]["enabled"]
        assert one["server_side_encryption"][0]["enabled"]
    (parked,) = tables["ledger"]["global_secondary_index"]
    assert (parked["name"], parked["hash_key"], parked["range_key"]) == ("parked", "parked", "parked_at")
    assert tables["ledger"]["ttl"] == [{"attribute_name": "ttl", "enabled": True}]


def test_each_lane_and_platform_has_a_mapping_of_its_own(plan: Plan) -> None:
    mappings = plan.of("module.api.aws_lambda_event_source_mapping.this")
    concurrency = {name: one["scaling_config"][0]["maximum_concurrency"] for name, one in mappings.items()}
    assert concurrency == {
        "outbound": 20,
        "outbound-bulk": 10,
        "events": 50,
        "later": 5,
        "lane-shared": 20,
        "lane-shared-bulk": 10,
        "lane-infobip-ke": 10,
        "lane-infobip-ke-bulk": 5,
        "deliver-main": 10,
    }
    for one in mappings.values():
        assert one["function_response_types"] == ["ReportBatchItemFailures"]
        assert one["batch_size"] == 10


# --- what each may do -----------------------------------------------------------------------------------------------


def test_types_of_smscs_are_those_of_the_code() -> None:
    text = (INFRA / "aggregators.tf").read_text()
    (listed,) = [line.split("=", 1)[1] for line in text.splitlines() if line.strip().startswith("smsc_types")]
    assert set(json.loads(listed)) == SMSC_TYPES


def test_ports_that_a_file_leaves_out_are_those_of_the_code() -> None:
    (listed,) = re.findall(r"^  ports = \{(.*)\}", (INFRA / "aggregators.tf").read_text(), re.MULTILINE)
    ports = {name.strip(): int(port) for name, port in (pair.split("=") for pair in listed.split(","))}
    configs: dict[str, type[LinkConfig]] = {"SMPP": SmppConfig, "UCP": UcpConfig, "CIMD2": Cimd2Config}
    assert ports == {name: config.model_fields["port"].default for name, config in configs.items()}


def test_the_task_is_as_it_must_be(plan: Plan) -> None:
    service = plan.one("module.relay[0].aws_ecs_service.this")
    assert (service["desired_count"], service["deployment_maximum_percent"]) == (2, 100)
    assert service["deployment_circuit_breaker"] == [{"enable": True, "rollback": True}]
    assert not service["network_configuration"][0]["assign_public_ip"]
    assert not [kind for kind in plan.kinds() if kind.startswith("aws_appautoscaling")]


def test_the_relay_reaches_its_smscs_and_aws_only(plan: Plan) -> None:
    rules = plan.of("module.relay[0].aws_vpc_security_group_egress_rule.smsc")
    assert {(one["cidr_ipv4"], one["from_port"], one["to_port"]) for one in rules.values()} == {
        ("10.64.10.20/32", 2775, 2775),
        ("10.64.10.21/32", 2775, 2775),
    }
    assert not [name for name in plan.resources if "relay" in name and "ingress" in name]


def outbind(host: str, **config: Any) -> dict[str, Any]:
    """Config of an SMSC that calls."""
    return {"host": host, "bind": "pair", "outbind_port": 2776, "outbind_networks": ["10.64.10.0/24"], **config}


def test_an_smsc_that_calls_finds_one_address_in_each_zone(changed: Callable[..., Terraform]) -> None:
    there = changed(mtn_ug_2=smsc("calls", **outbind("10.64.10.21")))
    plan = there.plan()
    balancer = plan.one("module.relay[0].aws_lb.outbind")
    assert balancer["internal"]
    assert {one["private_ipv4_address"] for one in balancer["subnet_mapping"]} == {"10.213.65.11", "10.213.65.27"}
    (group,) = plan.of("module.relay[0].aws_lb_target_group.outbind").values()
    assert (group["port"], group["target_type"], group["preserve_client_ip"]) == (2776, "ip", "true")
    (check,) = group["health_check"]
    assert (check["protocol"], check["port"], check["path"]) == ("HTTP", "8080", "/health")
    (served,) = plan.one("module.relay[0].aws_ecs_service.this")["load_balancer"]
    assert (served["container_name"], served["container_port"]) == ("relay", 2776)
    for rule in ("caller", "balancer"):
        (caller,) = plan.of(f"module.relay[0].aws_vpc_security_group_ingress_rule.{rule}").values()
        assert (caller["cidr_ipv4"], caller["from_port"], caller["to_port"]) == ("10.64.10.0/24", 2776, 2776)
    assert plan.one("module.relay[0].aws_vpc_security_group_ingress_rule.health")["from_port"] == 8080
    there.done("apply", "-no-color", "-auto-approve", "-input=false")
    task = there.done("show", "-json").replace("\\", "")
    assert '"command":["--health-port","8080","--health-host","0.0.0.0"]' in task
    assert '"portMappings":[{"containerPort":2776,"hostPort":2776,"protocol":"tcp"}]' in task


def test_a_vpn_is_what_the_form_says(plan: Plan) -> None:
    vpn = plan.one("module.vpn[0].aws_vpn_connection.this")
    for tunnel in ("tunnel1", "tunnel2"):
        assert vpn[f"{tunnel}_startup_action"] == "start"
        assert vpn[f"{tunnel}_dpd_timeout_action"] == "restart"
        assert vpn[f"{tunnel}_ike_versions"] == ["ikev2"]
        for phase, lifetime in (("phase1", 28_800), ("phase2", 3_600)):
            assert vpn[f"{tunnel}_{phase}_encryption_algorithms"] == ["AES256"]
            assert vpn[f"{tunnel}_{phase}_integrity_algorithms"] == ["SHA2-256"]
            assert vpn[f"{tunnel}_{phase}_dh_group_numbers"] == [14]
            assert vpn[f"{tunnel}_{phase}_lifetime_seconds"] == lifetime
    assert vpn["static_routes_only"]
    assert (vpn["local_ipv4_network_cidr"], vpn["remote_ipv4_network_cidr"]) == ("10.64.10.0/24", "10.213.65.0/27")
    assert plan.one("module.vpn[0].aws_customer_gateway.this")["ip_address"] == "196.0.0.10"
    gateways = plan.of("module.network[0].aws_nat_gateway.source")  # one a zone, by default
    assert {one["private_ip"] for one in gateways.values()} == {"10.213.65.10", "10.213.65.26"}
    assert {one["connectivity_type"] for one in gateways.values()} == {"private"}
    assert set(plan.of("module.vpn[0].aws_cloudwatch_metric_alarm.tunnel")) == {"mtn-ug-1", "mtn-ug-2"}
    assert set(plan.of("module.vpn[0].aws_cloudwatch_metric_alarm.both")) == {"mtn-ug"}


def test_each_zone_goes_out_through_its_own_gateway(made: dict[str, dict[str, Any]]) -> None:
    gateways = {
        values["id"]: address.split('"')[1]
        for address, values in made.items()
        if address.startswith("module.network[0].aws_nat_gateway.source")
    }
    ways = {
        address.split('"')[1]: gateways[values["nat_gateway_id"]]
        for address, values in made.items()
        if address.startswith("module.network[0].aws_route.smsc")
    }
    networks = ("10.64.10.0/24", "10.99.1.0/24")
    assert ways == {f"{zone} {network}": zone for zone in ("a", "b") for network in networks}


def test_one_tunnel_is_a_warning_and_both_are_an_outage(made: dict[str, dict[str, Any]]) -> None:
    topics = {
        values["arn"]: address.split('"')[1]
        for address, values in made.items()
        if address.startswith("module.observability.aws_sns_topic.this")
    }
    alarms = {address.rpartition(".")[2]: one for address, one in made.items() if ".module.vpn" in f".{address}"}
    heard = {
        name: [topics[arn] for arn in one["alarm_actions"]] for name, one in alarms.items() if "alarm_actions" in one
    }
    wanted = {f'tunnel["{name}-{tunnel}"]': ["warn"] for name in ("mtn-ug", "inside") for tunnel in (1, 2)}
    assert heard == wanted | {'both["mtn-ug"]': ["page"], 'both["inside"]': ["page"]}


def test_vpns_may_end_in_a_transit_gateway(changed: Callable[..., Terraform]) -> None:
    gateway = 'transit_gateway = { id = "tgw-0a1b2c", route_table_id = "tgw-rtb-0d4e5f" }'
    plan = changed(("  zone_id ", f"  {gateway}\n  zone_id ")).plan()
    vpn = plan.one("module.vpn[0].aws_vpn_connection.this")
    assert (vpn["transit_gateway_id"], vpn["vpn_gateway_id"]) == ("tgw-0a1b2c", None)
    assert not plan.of("module.vpn[0].aws_vpn_gateway.this")
    assert not plan.of("module.vpn[0].aws_vpn_connection_route.this")
    (back,) = plan.of("module.vpn[0].aws_route.transit").values()
    assert (back["destination_cidr_block"], back["transit_gateway_id"]) == ("10.64.10.0/24", "tgw-0a1b2c")
    (there,) = plan.of("module.vpn[0].aws_ec2_transit_gateway_route.this").values()
    assert there["transit_gateway_route_table_id"] == "tgw-rtb-0d4e5f"
    assert plan.one("module.vpn[0].aws_ec2_transit_gateway_vpc_attachment.this")["transit_gateway_id"] == "tgw-0a1b2c"


def test_every_alarm_says_what_to_run(plan: Plan) -> None:
    alarms = plan.of("module.observability.aws_cloudwatch_metric_alarm.this")
    assert {"dlq-later", "age-events", "link-mtn-ug", "account-at-ug", "platform-main", "api-4xx", "api-5xx"} <= set(
        alarms
    )
    for name, one in alarms.items():
        assert one["alarm_description"] is None or "Run: " in one["alarm_description"], name


def test_nothing_is_made_for_smscs_where_there_is_none(changed: Callable[..., Terraform]) -> None:
    found = changed(mtn_ug=None, mtn_ug_2=None).plan().kinds()
    unwanted = ("aws_vp", "aws_subnet", "aws_nat", "aws_ec", "aws_customer", "aws_security", "aws_route")
    assert sorted(kind for kind in found if kind.startswith(unwanted)) == []
    assert "aws_lambda_event_source_mapping" in found


def smsc(name: str, host: str, vpn: dict[str, Any] | None = None, **config: Any) -> str:
    """The text of an aggregator file."""
    data: dict[str, Any] = {"name": name, "type": "SMPP", "config": {"host": host, "port": 2775, **config}}
    if vpn is not None:
        data["vpn"] = vpn
    return yaml.safe_dump(data)


def test_an_smsc_on_the_internet_and_a_form_of_many_blanks(changed: Callable[..., Terraform]) -> None:
    form: dict[str, Any] = {
        "peer_ip": "197.1.2.3",
        "their_networks": ["172.20.1.0/24", "172.20.9.8/32"],
        "routing": "bgp",
        "bgp_asn": 64999,
        "ike": {"version": [1, 2], "phase1": {"encryption": ["AES128", "AES256"], "dh_groups": 14}},
    }
    plan = changed(
        mtn_ug_2=smsc("world", "203.0.113.9", fallback_hosts=["203.0.113.10", "203.0.113.11:2776"]),
        other=smsc("other", "smsc.operator.example", form),
    ).plan()
    rules = plan.of("module.relay[0].aws_vpc_security_group_egress_rule.smsc")
    assert {(one["cidr_ipv4"], one["from_port"]) for one in rules.values()} == {
        ("10.64.10.20/32", 2775),
        ("203.0.113.9/32", 2775),
        ("203.0.113.10/32", 2775),
        ("203.0.113.11/32", 2776),
        ("172.20.1.0/24", 2775),
        ("172.20.9.8/32", 2775),
    }
    assert len(plan.of("module.network[0].aws_eip.this")) == 2
    vpn = plan.of("module.vpn[0].aws_vpn_connection.this")["other"]
    assert vpn["local_ipv4_network_cidr"] == "0.0.0.0/0"  # AWS makes one pair of selectors
    assert not vpn["static_routes_only"]
    assert sorted(vpn["tunnel1_ike_versions"]) == ["ikev1", "ikev2"]
    assert sorted(vpn["tunnel2_phase1_encryption_algorithms"]) == ["AES128", "AES256"]
    assert vpn["tunnel2_phase1_dh_group_numbers"] == [14]
    assert plan.of("module.vpn[0].aws_customer_gateway.this")["other"]["bgp_asn"] == "64999"


def test_a_public_encryption_domain_and_ports_that_are_left_out(changed: Callable[..., Terraform]) -> None:
    form = {"peer_ip": "196.0.0.10", "their_networks": ["203.0.113.0/28"]}
    ucp = {"name": "ucp", "type": "UCP", "config": {"host": "203.0.113.5", "rx_host": "203.0.113.6"}, "vpn": form}
    cimd2 = {"name": "cimd2", "type": "CIMD2", "config": {"host": "203.0.113.7"}}
    plan = changed(
        ('image_tag = "v1"', 'architecture = "x86_64"\n  }\n\n  network = {\n    source_cidr = "198.51.100.0/27"'),
        mtn_ug=yaml.safe_dump(ucp),
        mtn_ug_2=yaml.safe_dump(cimd2),
    ).plan()
    gateways = plan.of("module.network[0].aws_nat_gateway.source")
    assert {one["private_ip"] for one in gateways.values()} == {"198.51.100.10", "198.51.100.26"}
    vpn = plan.one("module.vpn[0].aws_vpn_connection.this")
    assert (vpn["local_ipv4_network_cidr"], vpn["remote_ipv4_network_cidr"]) == ("203.0.113.0/28", "198.51.100.0/27")
    rules = plan.of("module.relay[0].aws_vpc_security_group_egress_rule.smsc")
    assert {(one["cidr_ipv4"], one["from_port"]) for one in rules.values()} == {
        ("203.0.113.5/32", 5000),
        ("203.0.113.6/32", 5000),
        ("203.0.113.7/32", 9971),
    }
    assert not plan.of("module.network[0].aws_internet_gateway.this")  # all of them are behind the VPN
    task = plan.one("module.relay[0].aws_ecs_task_definition.this")
    assert task["runtime_platform"][0]["cpu_architecture"] == "X86_64"


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replace", "said"),
    [
        pytest.param(('"sms.example.org"', '"https://sms.example.org"'), "domain must be a host name", id="domain"),
        pytest.param(('"arn:aws:acm:', '"arn:aws:iam:'), "ARN of an ACM certificate", id="certificate"),
        pytest.param(('"oncall@example.org"', '"oncall"'), "emails must be lists of addresses", id="email"),
        pytest.param(('image_tag = "v1"', 'image_tag = "latest"'), "not latest", id="a tag that moves"),
        pytest.param(('image_tag = "v1"', "tasks = 0"), "relay.tasks must be 1 to 10", id="no task"),
        pytest.param(
            ("  zone_id ", '  network = { source_zone = "c" }\n  zone_id '),
            "source_zone must be a, b or null",
            id="a zone that is not there",
        ),
    ],
)
def test_a_value_that_cannot_be_is_refused(
    changed: Callable[..., Terraform], replace: tuple[str, str], said: str
) -> None:
    assert said in changed(replace).refusal()


CHECKS = "module.jangada.terraform_data.checks"
VPN = "module.jangada.module.vpn"


@pytest.mark.parametrize(
    ("files", "replace", "target", "said"),
    [
        pytest.param(
            {"other": smsc("other", "10.64.10.99", {"peer_ip": "197.1.2.3", "their_networks": ["10.64.0.0/16"]})},
            ("", ""),
            VPN,
            "10.64.10.0/24 (mtn-ug) and 10.64.0.0/16 (other)",
            id="networks of two operators overlap",
        ),
        pytest.param(
            {"mtn_ug": smsc("mtn-ug", "10.213.65.9", {"peer_ip": "196.0.0.10", "their_networks": ["10.213.65.0/24"]})},
            ("", ""),
            VPN,
            "10.213.65.0/27 (this deployment) and 10.213.65.0/24 (mtn-ug)",
            id="a network overlaps with ours",
        ),
        pytest.param(
            {"other": smsc("other", "10.1.1.1", {"peer_ip": "196.0.0.10", "their_networks": ["10.1.1.0/24"]})},
            ("", ""),
            VPN,
            "leave `vpn` out of the second file",
            id="one gateway twice",
        ),
        pytest.param(
            {
                "mtn_ug": smsc(
                    "mtn-ug",
                    "10.64.10.20",
                    {
                        "peer_ip": "1.2.3.4",
                        "their_networks": ["10.64.10.0/24"],
                        "ike": {"phase1": {"encryption": "3DES"}},
                    },
                )
            },
            ("", ""),
            VPN,
            "3DES is gone",
            id="an algorithm that AWS has not",
        ),
        pytest.param(
            {"mtn_ug": smsc("mtn-ug", "10.64.10.20", {"peer_ip": "1.2.3.4", "networks": ["10.64.10.0/24"]})},
            ("", ""),
            CHECKS,
            "mtn-ug: vpn.networks",
            id="a key that nobody reads",
        ),
        pytest.param(
            {"mtn_ug_2": smsc("calls", **outbind("10.64.10.21", outbind_networks=["10.64.0.0/16"]))},
            ("", ""),
            "module.jangada.terraform_data.outbind",
            "none has under vpn.their_networks: calls: 10.64.0.0/16",
            id="outbind from where no VPN leads to",
        ),
        pytest.param(
            {"mtn_ug_2": smsc("by-name", "smsc.example.org")},
            ("", ""),
            CHECKS,
            "by-name: smsc.example.org",
            id="a name where an address must be",
        ),
        pytest.param(
            {},
            ("  zone_id ", "  account_concurrency = 100\n  zone_id "),
            CHECKS,
            "may take 340 concurrent executions together, and the account has 100",
            id="more concurrency than the account has",
        ),
        pytest.param(
            {"platforms": None},
            ("", ""),
            CHECKS,
            "Channels name the platforms main",
            id="a platform that is in no file",
        ),
    ],
)
def test_refused_before_anything_is_made(
    changed: Callable[..., Terraform],
    files: dict[str, str | None],
    replace: tuple[str, str],
    target: str,
    said: str,
) -> None:
    assert said in changed(replace, **files).refusal(target)


def test_the_examples_files_pass_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    from cli.main import main

    assert main(["aggregator", "check", *map(str, sorted(EXAMPLE.glob("*.yaml")))]) == 0, capsys.readouterr().err
