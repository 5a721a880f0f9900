"""docs/security.md says what every role may do: the table is made of the policies themselves.

`JANGADA_WRITE_DOCS=1 pytest tests/infra/test_security_docs.py` writes it into the page.
"""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

from tests.infra.terraform import ROOT
from tests.infra.test_policies import Policies, allowed, of_roles
from tests.infra.test_policies import policies as policies  # fixtures

pytestmark = pytest.mark.timeout(300)
PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- made of the policies, by tests/infra/test_security_docs.py -->\n", "<!-- end -->\n"


def role(address: str) -> str:
    """A role's name on the page."""
    function = re.search(r'module\.api\.aws_iam_role_policy\.function\["(\w+)"\]', address)
    if function:
        return f"λ {function[1].replace('api_handler', 'API')}"
    module, name = re.findall(r"module\.(\w+)(?:\[\d\])?\.aws_iam_role_policy\.(\w+)", address)[0]
    return {
        "relay task": "relay",
        "relay execution": "ECS, starting the relay",
        "api gateway": "API Gateway's logs",
    }.get(f"{module} {name}", f"{module}: {name}")


def names_of(made: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What an ARN is called on the page."""
    found = {}
    for address, values in made.items():
        arn = values.get("arn")
        match = re.search(r'(aws_\w+)\.(\w+)(?:\["?(.*?)"?\])?$', address)
        if not arn or match is None:
            continue
        kind, name, key = match[1], match[2], match[3] or ""
        if kind == "aws_sqs_queue":
            group = re.sub(r"^lane-.*", "lanes", re.sub(r"^deliver-.*", "platforms' queues", key))
            found[arn] = f"DLQs of {group}" if name == "dead" else group
        elif kind == "aws_dynamodb_table":
            found[arn] = f"table {key}"
        elif kind == "aws_kms_key":
            found[arn] = "the deployment's key, through DynamoDB, SQS and SSM"
        elif kind == "aws_cloudwatch_log_group":
            found[arn] = "its own log"
        elif kind == "aws_ecr_repository":
            found[arn] = "the relay's images"
    return found


def shown(resource: str, names: dict[str, str]) -> str:
    """A resource of a policy."""
    plain = resource.removesuffix(":*")
    if plain in names:
        return names[plain]
    table, _, index = plain.partition("/index/")
    if index:
        return f"{names[table]}, its index {index}"
    parameter = re.search(r":parameter/.*/(aggregators|platforms|tokens)/", resource)
    if parameter:
        return "login tokens of its aggregators" if parameter[1] == "tokens" else f"secrets of its {parameter[1]}"
    return "any (the action knows no other)" if resource == "*" else resource


def table(policies: Policies, made: dict[str, dict[str, Any]]) -> str:
    """The table of the page."""
    names = names_of(made)
    rows = []
    for address, policy in of_roles(policies).items():
        for actions, resources, _ in allowed(policy):
            what = ", ".join(sorted({shown(one, names) for one in resources}))
            rows.append((role(address), ", ".join(f"`{one}`" for one in sorted(actions)), what))
    return (
        "\n".join(["| who | may | on |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in sorted(rows))]) + "\n"
    )


def test_the_table_is_what_the_policies_say(policies: Policies, made: dict[str, dict[str, Any]]) -> None:
    written = table(policies, made)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    if os.environ.get("JANGADA_WRITE_DOCS"):
        PAGE.write_text(before + BEGIN + written + END + rest.partition(END)[2])
    assert BEGIN + written + END in PAGE.read_text(), "run this test with JANGADA_WRITE_DOCS=1"


def test_every_role_is_in_it_and_no_arn_is_left(policies: Policies, made: dict[str, dict[str, Any]]) -> None:
    written = table(policies, made)
    for address in of_roles(policies):
        assert f"| {role(address)} |" in written
    assert "arn:" not in written


def test_what_is_encrypted_is(made: dict[str, dict[str, Any]]) -> None:
    """Tables, logs and topics by the deployment's key; queues by SQS's at least."""
    page = PAGE.read_text()
    assert "## What is encrypted" in page
    for address, values in made.items():
        if "aws_dynamodb_table" in address:
            assert values["server_side_encryption"][0]["kms_key_arn"], address
        elif "aws_sqs_queue." in address:
            assert values["sqs_managed_sse_enabled"] or values["kms_master_key_id"], address
        elif "aws_cloudwatch_log_group" in address:
            assert values["kms_key_id"], address
        elif "aws_sns_topic." in address:
            assert values["kms_master_key_id"], address


def test_retention_is_that_of_the_code() -> None:
    from chalicelib import inbox, ledger_table, rendezvous, trace

    page = PAGE.read_text()
    days = {"ledger": ledger_table.KEEP, "trace": trace.KEEP, "parked": rendezvous.PARKED, "remembered": inbox.REMEMBER}
    for name, seconds in days.items():
        (found,) = re.findall(rf"^\| [^|]*\b{name}\b[^|]* \| (\d+) days", page, re.MULTILINE)
        assert int(found) * 86_400 == seconds, name
