"""EC2, ECS and CloudWatch Logs on a socket, as far as `jangada smsc check` asks them: what a test has put in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

VPN = """<DescribeVpnConnectionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><vpnConnectionSet>{items}
</vpnConnectionSet></DescribeVpnConnectionsResponse>"""
CONNECTION = (
    "<item><vpnConnectionId>vpn-1</vpnConnectionId><state>{state}</state><vgwTelemetry>{tunnels}</vgwTelemetry></item>"
)
TUNNEL = (
    "<item><outsideIpAddress>192.0.2.{n}</outsideIpAddress><status>{status}</status>"
    "<statusMessage>{why}</statusMessage></item>"
)
ROUTES = """<DescribeRouteTablesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><routeTableSet><item><routeSet>
{items}</routeSet></item></routeTableSet></DescribeRouteTablesResponse>"""
ROUTE = """<item><destinationCidrBlock>{to}</destinationCidrBlock><gatewayId>{via}</gatewayId>
<state>{state}</state></item>"""
GROUPS = """<DescribeSecurityGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><securityGroupInfo><item>
<ipPermissionsEgress><item><ipProtocol>tcp</ipProtocol><fromPort>{port}</fromPort><toPort>{port}</toPort><ipRanges>
<item><cidrIp>127.0.0.1/32</cidrIp></item></ipRanges></item></ipPermissionsEgress></item></securityGroupInfo>
</DescribeSecurityGroupsResponse>"""
REFUSED = (
    """<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>"""
)


class Stub:
    """`tunnels`: their states, None: no VPN; `refuses`: EC2 lets nobody look."""

    def __init__(self) -> None:
        self.state = "available"
        self.tunnels: tuple[str, ...] | None = ("UP", "UP")
        self.routes: list[tuple[str, str, str]] = [("127.0.0.0/8", "vgw-1", "active")]
        self.port = 0
        self.refuses = False
        self.requests: list[dict[str, Any]] = []  # of RunTask
        self.asked: list[dict[str, list[str]]] = []  # of EC2
        self._lines: list[str] = []
        self._code = 0

    def ec2(self, asked: dict[str, list[str]]) -> str:
        self.asked.append(asked)
        if self.refuses:
            return REFUSED
        action = asked["Action"][0]
        if action == "DescribeVpnConnections":
            told = "".join(
                TUNNEL.format(n=n, status=status, why="" if status == "UP" else "IPSEC IS DOWN")
                for n, status in enumerate(self.tunnels or (), 1)
            )
            one = CONNECTION.format(state=self.state, tunnels=told)
            return VPN.format(items="" if self.tunnels is None else one)
        if action == "DescribeRouteTables":
            return ROUTES.format(items="".join(ROUTE.format(to=to, via=via, state=s) for to, via, s in self.routes))
        return GROUPS.format(port=self.port)

    def call(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        """ECS and Logs. RunTask runs the container's command, to its end."""
        network = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}
        options = {"awslogs-group": "/jangada/relay", "awslogs-stream-prefix": "relay"}
        if action == "DescribeServices":
            return {"services": [{"taskDefinition": "relay:1", "networkConfiguration": network}]}
        if action == "DescribeTaskDefinition":
            container = {"name": "relay", "logConfiguration": {"logDriver": "awslogs", "options": options}}
            return {"taskDefinition": {"containerDefinitions": [container]}}
        if action == "RunTask":
            self.requests.append(asked)
            command = asked["overrides"]["containerOverrides"][0]["command"]
            # As the image's entry point: the relay under its supervisor, which wants signs of life.
            ran = subprocess.run(
                [sys.executable, "-m", "smsc_relay.supervisor", *command],
                capture_output=True, text=True, env=os.environ, timeout=60,
            )  # fmt: skip
            self._lines, self._code = ran.stdout.splitlines(), ran.returncode
            return {"tasks": [{"taskArn": "arn:aws:ecs:eu-west-1:000000000000:task/c/0123"}], "failures": []}
        if action == "DescribeTasks":
            return {"tasks": [{"lastStatus": "STOPPED", "containers": [{"exitCode": self._code}]}]}
        if action == "GetLogEvents":
            lines = [] if asked.get("nextToken") else self._lines
            return {"events": [{"message": one} for one in lines], "nextForwardToken": "f/1"}
        raise AssertionError(action)


@contextmanager
def serving(stub: Stub) -> Iterator[str]:
    """The stub on a socket; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            target = self.headers.get("x-amz-target")
            if target:
                answer, kind = json.dumps(stub.call(target.rpartition(".")[2], json.loads(body))), "application/json"
            else:
                answer, kind = stub.ec2(parse_qs(body)), "text/xml"
            self.send_response(403 if answer == REFUSED else 200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(answer.encode())))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
