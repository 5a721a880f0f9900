"""The firewall eats no text message, and hits no aggregator that sends everything from one address."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.infra.terraform import INFRA, Plan, Terraform

pytestmark = pytest.mark.timeout(300)  # the first packaging on a machine resolves every wheel


@pytest.fixture(scope="module")
def plan(example: Terraform) -> Plan:
    return example.plan()


def rules(plan: Plan) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(plan.one("module.api.aws_wafv2_web_acl.this")["rule_json"])
    return found


def test_rules_look_at_paths_and_rates_only(plan: Plan) -> None:
    assert rules(plan)
    for rule in rules(plan):
        assert list(rule["Statement"]) == ["RateBasedStatement"]
        kinds = set(re.findall(r'"(\w+Statement)"', json.dumps(rule["Statement"])))
        assert kinds <= {
            "RateBasedStatement",
            "ByteMatchStatement",
            "NotStatement",
            "OrStatement",
            "ScopeDownStatement",
        }
        fields = re.findall(r'"FieldToMatch": \{"(\w+)"', json.dumps(rule))
        assert set(fields) == {"UriPath"}
    assert "managed_rule_group" not in (INFRA / "modules" / "api" / "waf.tf").read_text()


def test_nothing_is_limited_where_one_address_sends_everything(plan: Plan) -> None:
    (rule,) = rules(plan)
    assert rule["Name"] == "others"
    statement = rule["Statement"]["RateBasedStatement"]["ScopeDownStatement"]["NotStatement"]["Statement"]
    paths = {one["ByteMatchStatement"]["SearchString"] for one in statement["OrStatement"]["Statements"]}
    assert paths == {"/c/", "/send/"}
    assert plan.one("module.api.aws_wafv2_web_acl.this")["default_action"] == [
        {"allow": [{"custom_request_handling": []}], "block": []}
    ]


def test_the_api_has_concurrency_of_its_own(plan: Plan) -> None:
    functions = plan.of("module.api.module.functions.aws_lambda_function.api_handler")
    assert functions[""]["reserved_concurrent_executions"] == 200
    assert plan.of("module.api.module.functions.aws_lambda_function.send")[""]["reserved_concurrent_executions"] in (
        None,
        -1,
    )


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        pytest.param(
            "rate_limits = { callbacks = 2000 }", "must be 30000 or more", id="a limit that hits an aggregator"
        ),
        pytest.param(
            "account_concurrency = 1000\n  concurrency = { api = 950 }",
            "wants 100 left unreserved",
            id="too much reserved",
        ),
    ],
)
def test_refused(example: Terraform, setting: str, said: str) -> None:
    main = example.folder / "main.tf"
    text = main.read_text()
    main.write_text(text.replace("  zone_id ", f"  {setting}\n  zone_id "))
    try:
        assert said in example.refusal("module.jangada.terraform_data.checks" if "account" in setting else "")
    finally:
        main.write_text(text)
