"""What ministack 1.5.33 lacks of ECS and CloudWatch for Terraform's AWS provider 3.39 (see emulated.py)."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

from ministack.services import cloudwatch, ecs

_create_service, _delete_cluster, _describe_clusters = ecs._create_service, ecs._delete_cluster, ecs._describe_clusters
_cluster_view, _describe_alarms = ecs._cluster_view, cloudwatch._describe_alarms
_put_alarm = cloudwatch._put_metric_alarm
_deleted: dict[str, Any] = {}  # clusters, by ARN and by name


def create_service(data: Any) -> Any:
    """CreateService: with the role that AWS makes, without whose name the provider crashes."""
    return _create_service({**data, "role": data.get("role") or "arn:aws:iam::000000000000:role/aws-service-role/ecs"})


def delete_cluster(data: Any) -> Any:
    """DeleteCluster: for a while it is still to be seen, as INACTIVE."""
    answer = _delete_cluster(data)
    if gone := json.loads(answer[2]).get("cluster"):
        _deleted[gone["clusterArn"]] = _deleted[gone["clusterName"]] = gone
    return answer


def describe_clusters(data: Any) -> Any:
    """DescribeClusters."""
    gone = [_deleted[one] for one in data.get("clusters", []) if one in _deleted]
    return ecs.json_response({"clusters": gone, "failures": []}) if gone else _describe_clusters(data)


def cluster_view(cluster: Any, include: Any) -> Any:
    """A cluster, with its settings: the provider does not ask for them by name."""
    return {**_cluster_view(cluster, include), "settings": cluster["settings"]}


def put_alarm(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
    """PutMetricAlarm: an expression and its metrics are kept, and have no statistic of their own beside them."""
    answer = _put_alarm(params, data, is_cbor, is_json)
    if metrics := _members({key: value[0] for key, value in params.items()}, "Metrics."):
        alarm = cloudwatch._alarms[params["AlarmName"][0]]
        alarm["Metrics"] = metrics
        del alarm["Period"], alarm["Statistic"]
    return answer


def _members(params: dict[str, str], prefix: str) -> list[Any]:
    """`prefix` + member.1.Id and so on, as a list."""
    found: list[Any] = []
    while inner := {key: value for key, value in params.items() if key.startswith(f"{prefix}member.{len(found) + 1}.")}:
        begin = f"{prefix}member.{len(found) + 1}."
        found.append(_fields({key.removeprefix(begin): value for key, value in inner.items()}))
    return found


def _fields(params: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in dict.fromkeys(key.split(".")[0] for key in params):
        inner = {key.removeprefix(f"{name}."): value for key, value in params.items() if key.startswith(f"{name}.")}
        if not inner:
            found[name] = params[name]
        else:
            found[name] = _members(inner, "") if "member" in {key.split(".")[0] for key in inner} else _fields(inner)
    return found


def describe_alarms(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
    """DescribeAlarms: the XML says all that the JSON says."""
    if is_cbor or is_json:
        return _describe_alarms(params, data, is_cbor, is_json)
    names = [value for key in params if key.startswith("AlarmNames.") for value in params[key]]
    _, _, body = _describe_alarms({}, {"AlarmNames": names}, False, True)
    told = "".join(f"<{key}>{_xml(value)}</{key}>" for key, value in json.loads(body).items())
    return cloudwatch._xml(200, "DescribeAlarmsResponse", f"<DescribeAlarmsResult>{told}</DescribeAlarmsResult>")


def _xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(
            f"<{key}>{_xml(one)}</{key}>"
            for key, one in value.items()
            if one is not None and not key.endswith("Timestamp")  # numbers here, dates in XML
        )
    if isinstance(value, list):
        return "".join(f"<member>{_xml(one)}</member>" for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    return escape(str(value))


def install() -> None:
    """Put them in the place of ministack's."""
    new = {
        "CreateService": (_create_service, create_service),
        "DeleteCluster": (_delete_cluster, delete_cluster),
        "DescribeClusters": (_describe_clusters, describe_clusters),
    }
    for table in [one for one in vars(ecs).values() if isinstance(one, dict)]:
        for name, (old, function) in new.items():
            if table.get(name) is old:
                table[name] = function
    for old, function in new.values():
        setattr(ecs, old.__name__, function)
    ecs._cluster_view = cluster_view
    for table in [one for one in vars(cloudwatch).values() if isinstance(one, dict)]:
        for name, known, other in (
            ("DescribeAlarms", _describe_alarms, describe_alarms),
            ("PutMetricAlarm", _put_alarm, put_alarm),
        ):
            if table.get(name) is known:
                table[name] = other
    cloudwatch._describe_alarms, cloudwatch._put_metric_alarm = describe_alarms, put_alarm
