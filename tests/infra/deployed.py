"""What Terraform has made on an emulated AWS, and how to use it: commands, records, webhooks, relays of its tasks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import boto3

from local.emulator import REGION, emulator_python, free_port
from tests.infra.terraform import ROOT

KEYS: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
WAIT: Final = 120  # s for what must come


@contextmanager
def emulated_aws(log: Path) -> Iterator[str]:
    """An emulated AWS with Lambda; its address."""
    port = free_port()
    settings = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "MINISTACK_REGION": REGION}
    environment = {**os.environ, **settings, "LAMBDA_EXECUTOR": "local", "PERSIST_STATE": "0"}
    environment.pop("AWS_ENDPOINT_URL", None)
    with log.open("wb") as file:
        command = [emulator_python(), str(ROOT / "tests" / "infra" / "emulated.py")]
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(url + "/_ministack/health", process, log)
            yield url
        finally:
            process.kill()
            process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until `url` answers; the test fails when its process ends before."""
    while True:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue


class Deployed:
    """A deployment, by the outputs of its root module and the address of the emulated AWS."""

    def __init__(self, outputs: dict[str, Any], endpoint: str) -> None:
        self.environment = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": endpoint}
        self.outputs = outputs
        for line in outputs["cli_environment"].splitlines():
            name, value = line.removeprefix("export ").split("=", 1)
            self.environment[name] = value.strip("'")
        self.api = f"{endpoint}/restapis/{outputs['rest_api_id']}/api/_user_request_"
        self._endpoint = endpoint
        self.sqs = self.client("sqs")

    def client(self, service: str) -> Any:
        """A client of the emulated AWS."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self._endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def jangada(self, *words: str) -> str:
        """Run a command, which must succeed; what it prints."""
        command = [sys.executable, "-m", "cli.main", *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def post(self, path: str, body: bytes, **headers: str) -> int:
        """POST to the API; its status."""
        request = urllib.request.Request(self.api + path, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=WAIT) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def health(self) -> bytes:
        """What /health says: the code that is in force."""
        with urllib.request.urlopen(self.api + "/health", timeout=WAIT) as answer:
            return bytes(answer.read())

    def put(self, message: dict[str, Any]) -> None:
        """A platform's record, into outbound.fifo."""
        self.sqs.send_message(
            QueueUrl=self.environment["JANGADA_QUEUE_BASE"] + "outbound.fifo",
            MessageBody=json.dumps(message),
            MessageGroupId=message["to"],
            MessageDeduplicationId=str(message["id"]),
        )

    def dead(self) -> dict[str, int]:
        """Dead-letter queues that are not empty."""
        found = {}
        for name, queue in self.outputs["queues"].items():
            url = self.sqs.get_queue_url(QueueName=queue["dlq_name"])["QueueUrl"]
            asked = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            if count := int(asked["Attributes"]["ApproximateNumberOfMessages"]):
                found[name] = count
        return found

    def put_code(self, archive: Path, old: bytes, new: bytes) -> None:
        """New code for every function: app.py with `new` for `old`."""
        out = BytesIO()
        with zipfile.ZipFile(archive) as before, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
            for one in before.infolist():
                content = before.read(one)
                after.writestr(one, content.replace(old, new) if one.filename == "app.py" else content)
        functions = self.client("lambda")
        for one in functions.list_functions()["Functions"]:
            functions.update_function_code(FunctionName=one["FunctionName"], ZipFile=out.getvalue())

    def task(self) -> dict[str, Any]:
        """The relay's container, as the task definition describes it."""
        ecs = self.client("ecs")
        (service,) = ecs.list_services(cluster=self._cluster())["serviceArns"]
        (found,) = ecs.describe_services(cluster=self._cluster(), services=[service])["services"]
        assert (found["desiredCount"], found["launchType"]) == (2, "FARGATE")
        task = ecs.describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
        (container,) = task["containerDefinitions"]
        return dict(container)

    def _cluster(self) -> str:
        (arn,) = self.client("ecs").list_clusters()["clusterArns"]
        return str(arn)

    def relay(self, log: Path) -> Relay:
        """A task of the service: ECS itself starts nothing here."""
        environment = {one["name"]: one["value"] for one in self.task()["environment"]}
        return Relay({**os.environ, **KEYS, "AWS_ENDPOINT_URL": self._endpoint, **environment}, log)


class Relay:
    """A relay as a process, with the command of the image."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        port = free_port()
        self._log = log
        with log.open("wb") as file:
            command = [sys.executable, "-m", "smsc_relay.supervisor", "--health-port", str(port)]
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)
        wait_for(f"http://127.0.0.1:{port}/health", self.process, log)

    def stop(self) -> None:
        """As ECS does: SIGTERM, and it has two minutes."""
        self.process.terminate()
        assert self.process.wait(120) == 0, self._log.read_text()

    def kill(self) -> None:
        """For the end of a test that has failed."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
