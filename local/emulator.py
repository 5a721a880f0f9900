"""The emulated AWS of one machine: ministack as a child process on loopback, and the resources the gateway needs."""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from local import faults, lifeline

ROOT: Final = Path(__file__).resolve().parent.parent
ACCOUNT: Final = "000000000000"
REGION: Final = "eu-west-1"
PREFIX: Final = "jangada-local-"
_START: Final = 30.0  # seconds the emulator may take to answer
_FORTNIGHT: Final = 14 * 86_400
VISIBILITY: Final = 180  # seconds
RECEIVES: Final = 100  # of a lane's record: catches crash loops only
RECEIVES_DELIVER: Final = 1_000  # of a platform's record, which is held through outages of days
_CHANCE: Final = random.SystemRandom()  # processes that start together must not choose alike


class EmulatorError(RuntimeError):
    """The emulator cannot be started; the text says what to do."""


def free_port(count: int = 1) -> int:
    """The first of `count` adjacent TCP ports of loopback that nobody listens on just now.

    They are below those that systems give to outgoing connections (from 32768 on Linux, from 49152 elsewhere), so that
    none of these takes one before its user does.
    """
    while True:
        first = _CHANCE.randrange(10_000, 32_000)
        if all(map(_is_free, range(first, first + count))):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def emulator_python() -> str:
    """The interpreter of the emulator's own environment.

    Raises:
        EmulatorError: it has not been made.
    """
    python = os.environ.get("JANGADA_EMULATOR_PYTHON") or str(ROOT / ".venv-emulator" / "bin" / "python")
    if not Path(python).exists():
        raise EmulatorError(f"no emulator at {python}: run `make setup`, which installs requirements-emulator.txt")
    return python


class Emulator:
    """ministack, started on entry and stopped on exit."""

    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        self.port = port or free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it and wait until it answers."""
        environment = {
            **os.environ,
            "BIND_HOST": "127.0.0.1",  # ministack's own default is every interface
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "PERSIST_STATE": "0",
        }
        environment.pop("AWS_ENDPOINT_URL", None)
        output = self._log.open("ab") if self._log else subprocess.DEVNULL
        environment["PYTHONPATH"] = str(ROOT)
        held, descriptors = lifeline.given()
        layers = "from local import lifeline; from local.faults import Faults; from local.strict import Strict"
        code = f"from ministack import app; {layers}; lifeline.hold(); app.app = Faults(Strict(app.app)); app.main()"
        self._process = subprocess.Popen(
            [emulator_python(), "-c", code], env=environment | held, stdout=output, stderr=output, pass_fds=descriptors
        )
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise EmulatorError(
                    f"the emulator ended with status {self._process.returncode}: {self._log or 'no log'}"
                )
            if self._answers():
                return self
            time.sleep(0.05)
        self.stop()
        raise EmulatorError(f"the emulator does not answer on {self.endpoint} after {_START:.0f} s")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.endpoint + "/_ministack/health", timeout=1):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def reset(self) -> None:
        """Empty it: no queues, no tables, no parameters."""
        request = urllib.request.Request(self.endpoint + "/_ministack/reset", method="POST")
        with urllib.request.urlopen(request, timeout=10):
            return

    def faults(self, **settings: Any) -> None:
        """Have it be slow, or fail, from now on (`local.faults`); nothing: be well."""
        data = json.dumps(settings).encode()
        with urllib.request.urlopen(urllib.request.Request(self.endpoint + faults.PATH, data=data), timeout=10):
            return

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not help within five seconds."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def environment(endpoint: str) -> dict[str, str]:
    """The environment variables that make the gateway use the AWS at `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "JANGADA_PREFIX": PREFIX,
        "JANGADA_QUEUE_BASE": f"{endpoint}/{ACCOUNT}/{PREFIX}",
        "JANGADA_SSM_PREFIX": "/jangada/local",
        "JANGADA_DOMAIN": "sms.example.org",
        "JANGADA_ALLOW_PRIVATE": "1",
        "JANGADA_SHARE": "1",  # of the two runs that the shared lane has here
    }


def queue_names(own_lanes: Iterable[str] = (), platforms: Iterable[str] = ()) -> dict[str, int]:
    """FIFO queues by name (without .fifo), with their maxReceiveCount."""
    names = ["outbound", "outbound-bulk", "lane-shared", "lane-shared-bulk", "events"]
    for aggregator in own_lanes:
        names += [f"lane-{aggregator}", f"lane-{aggregator}-bulk"]
    found = dict.fromkeys(names, RECEIVES)
    return {**found, **{f"deliver-{platform}": RECEIVES_DELIVER for platform in platforms}}


def create_resources(
    endpoint: str, *, own_lanes: Iterable[str] = (), platforms: Iterable[str] = (), visibility: int = VISIBILITY
) -> None:
    """Make the queues and tables that are not there yet, as Terraform makes them on AWS.

    `visibility`: seconds until a record is given again whose function has died.
    """
    sqs, dynamodb = _client("sqs", endpoint), _client("dynamodb", endpoint)
    for name, receives in queue_names(own_lanes, platforms).items():
        _queue(sqs, name, fifo=True, receives=receives, visibility=visibility)
    _queue(sqs, "later", fifo=False, receives=RECEIVES, visibility=visibility)
    existing = set(dynamodb.list_tables()["TableNames"])
    for table, keys in (("registry", ("pk", "sk")), ("ledger", ("pk",)), ("trace", ("pk", "sk")), ("leases", ("pk",))):
        if PREFIX + table not in existing:
            _table(dynamodb, PREFIX + table, keys, parked=table == "ledger")


@functools.cache
def _client(service: str, endpoint: str) -> Any:
    import botocore.session

    options = {"region_name": REGION, "endpoint_url": endpoint}
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return botocore.session.get_session().create_client(service, **options, **credentials)


def _queue(sqs: Any, name: str, *, fifo: bool, receives: int, visibility: int) -> None:
    suffix = ".fifo" if fifo else ""
    attributes = {"MessageRetentionPeriod": str(_FORTNIGHT), "VisibilityTimeout": str(visibility)}
    if fifo:
        attributes |= {
            "FifoQueue": "true",
            "DeduplicationScope": "messageGroup",
            "FifoThroughputLimit": "perMessageGroupId",
        }
    dead = sqs.create_queue(QueueName=f"{PREFIX}{name}-dlq{suffix}", Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives})
    sqs.create_queue(QueueName=f"{PREFIX}{name}{suffix}", Attributes={**attributes, "RedrivePolicy": redrive})


def _table(dynamodb: Any, name: str, keys: tuple[str, ...], *, parked: bool) -> None:
    attributes = [{"AttributeName": key, "AttributeType": "S"} for key in keys]
    schema = [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]
    request: dict[str, Any] = {"TableName": name, "KeySchema": schema, "BillingMode": "PAY_PER_REQUEST"}
    if parked:
        attributes += [
            {"AttributeName": "parked", "AttributeType": "S"},
            {"AttributeName": "parked_at", "AttributeType": "N"},
        ]
        request["GlobalSecondaryIndexes"] = [
            {
                "IndexName": "parked",
                "KeySchema": [
                    {"AttributeName": "parked", "KeyType": "HASH"},
                    {"AttributeName": "parked_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ]
    dynamodb.create_table(AttributeDefinitions=attributes, **request)
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})


if __name__ == "__main__":
    with Emulator(int(sys.argv[1]) if len(sys.argv) > 1 else 4566) as emulator:
        create_resources(emulator.endpoint)
        print(f"AWS emulated on {emulator.endpoint}; Ctrl-C stops it")
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("stopped")
