"""The emulator with what Terraform's AWS provider needs and ministack 1.5.33 lacks. Runs in the emulator's environment.

- API Gateway PutRestApi: the whole API comes as one description; ministack's own importer takes its parts.
- UpdateRestApi on /binaryMediaTypes must keep a list: the provider cannot read a map, and tries for hours.
- Event source mappings answer for single records: provider 3.39 cannot say so.
"""

from __future__ import annotations

import json
from typing import Any

from ministack import app
from ministack.services import apigateway_v1, lambda_svc

_handle, _create_mapping = apigateway_v1.handle_request, lambda_svc._create_esm


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


def create_mapping(data: dict[str, Any]) -> Any:
    """CreateEventSourceMapping."""
    return _create_mapping({"FunctionResponseTypes": ["ReportBatchItemFailures"], **data})


apigateway_v1.handle_request = handle
lambda_svc._create_esm = create_mapping

if __name__ == "__main__":
    app.main()
