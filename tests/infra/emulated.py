"""The emulator with what Terraform's AWS provider needs and ministack 1.5.33 lacks. Runs in the emulator's environment.

Everything here keeps what it was asked for and answers with it, so that a second plan shows whether the provider finds
what it has made. What is emulated beyond that is ministack's own.

- API Gateway PutRestApi: the whole API comes as one description; ministack's own importer takes its parts.
- UpdateRestApi on /binaryMediaTypes must keep a list: the provider cannot read a map, and tries for hours.
- Domains have the dates of their certificates; the provider crashes without. An empty base path is "(none)".
- Event source mappings answer for single records: provider 3.39 cannot say so.
- The firewall keeps its logging.
- New code of a function ends its idle processes only: what runs ends first, as on AWS.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import lambda_runtime
from ministack.services import apigateway_v1, lambda_svc, waf

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.infra import emulated_containers, emulated_network

_handle, _create_mapping = apigateway_v1.handle_request, lambda_svc._create_esm
_create_domain, _create_path = apigateway_v1._create_domain_name, apigateway_v1._create_base_path_mapping
_firewall = waf.handle_request
_logging: dict[str, Any] = {}  # of firewalls, by ARN


async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    """The API of API Gateway."""
    parts = path.strip("/").split("/")
    api = apigateway_v1._rest_apis.get(parts[1]) if len(parts) == 2 and parts[0] == "restapis" else None
    if api is not None and method == "PUT":
        return _imported(parts[1], json.loads(body))
    if api is not None and method == "PATCH":
        left = []
        for change in json.loads(body).get("patchOperations", []):
            if not change["path"].startswith("/binaryMediaTypes/"):
                left.append(change)
                continue
            kind = change["path"].split("/")[2].replace("~1", "/")
            others = [one for one in api["binaryMediaTypes"] if one != kind]
            api["binaryMediaTypes"] = others if change["op"] == "remove" else [*others, kind]
        body = json.dumps({"patchOperations": left}).encode()
    return await _handle(method, path, headers, body, query)


def _imported(api: str, described: dict[str, Any]) -> Any:
    resources = apigateway_v1._resources[api]
    for name, resource in list(resources.items()):
        if resource["path"] == "/":
            resource["resourceMethods"] = {}
        else:
            resources.pop(name)
    apigateway_v1._authorizers_v1[api] = {}
    schemes = apigateway_v1._import_security_schemes(api, described)
    for route, item in described.get("paths", {}).items():
        apigateway_v1._import_path_item(api, route, item, schemes, described.get("security"))
    return apigateway_v1._get_rest_api(api)


def create_domain(data: dict[str, Any]) -> Any:
    """CreateDomainName."""
    status, _, _ = _create_domain(data)
    made = apigateway_v1._domain_names[data["domainName"]]
    made |= {"certificateUploadDate": 1_700_000_000, "regionalCertificateUploadDate": 1_700_000_000}
    del made["mutualTlsAuthentication"]
    return apigateway_v1._v1_response(made, status)


def create_path(name: str, data: dict[str, Any]) -> Any:
    """CreateBasePathMapping."""
    return _create_path(name, {**data, "basePath": data.get("basePath") or "(none)"})


def create_mapping(data: dict[str, Any]) -> Any:
    """CreateEventSourceMapping."""
    return _create_mapping({"FunctionResponseTypes": ["ReportBatchItemFailures"], **data})


async def firewall(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    """The API of the firewall."""
    action = headers.get("x-amz-target", "").split(".")[-1]
    if "LoggingConfiguration" not in action:
        return await _firewall(method, path, headers, body, query)
    data = json.loads(body)
    if action == "PutLoggingConfiguration":
        _logging[data["LoggingConfiguration"]["ResourceArn"]] = data["LoggingConfiguration"]
        return waf.json_response(data)
    if data["ResourceArn"] not in _logging:
        return waf.error_response_json("WAFNonexistentItemException", "no logging there", 400)
    if action == "DeleteLoggingConfiguration":
        del _logging[data["ResourceArn"]]
        return waf.json_response({})
    return waf.json_response({"LoggingConfiguration": _logging[data["ResourceArn"]]})


_release = lambda_runtime.release_worker
_leaving: list[Any] = []  # processes with old code that still run something


def invalidate(name: str, *_: Any, **__: Any) -> None:
    """End a function's processes: the busy ones when they are done."""
    idle = []
    with lambda_runtime._lock:
        for workers in lambda_runtime._workers.values():
            if workers and workers[0].func_name == name:
                _leaving.extend(one for one in workers if one.in_use)
                idle += [one for one in workers if not one.in_use]
                workers.clear()
    lambda_runtime.kill_workers(idle)


def release(worker: Any) -> None:
    """A process is done."""
    _release(worker)
    if worker in _leaving:
        _leaving.remove(worker)
        lambda_runtime.kill_workers([worker])


for module in (lambda_runtime, lambda_svc):
    module.invalidate_worker, module.release_worker = invalidate, release
lambda_svc._sweep_extract_cache = lambda: None  # they may still import
apigateway_v1.handle_request = handle
apigateway_v1._create_domain_name = create_domain
apigateway_v1._create_base_path_mapping = create_path
lambda_svc._create_esm = create_mapping
waf.handle_request = firewall
emulated_network.install()
emulated_containers.install()

if __name__ == "__main__":
    app.main()
