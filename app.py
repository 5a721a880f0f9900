"""Chalice: the routes and queue handlers, each a few lines that call chalicelib.

Every function runs `import app`, so a use case, and all that it needs, is imported by the handler that needs it.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from chalice import Chalice, Rate, Response

if TYPE_CHECKING:
    from chalicelib.webhooks import Answer

METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]  # who may use which is ours to say
ANY: Final = ["*/*"]

# pydantic would look through every installed package for plugins, a tenth of a cold start; we use none
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

_event: ContextVar[dict[str, Any]] = ContextVar("event")


class Gateway(Chalice):
    """Chalice, told to hand over any body as octets.

    It looks at Content-Type before a handler runs and at Accept after it has run, and would turn callbacks away for
    either; both are set to what it takes. Handlers read the request from the event as it came.
    """

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        """Serve one event of API Gateway, or of `chalice local`."""
        _event.set(event)
        headers = {"accept": "*/*", "content-type": "application/octet-stream"}
        multiple = {name: [value] for name, value in headers.items()}
        return super().__call__({**event, "headers": headers, "multiValueHeaders": multiple}, context)


app = Gateway(app_name="jangada", configure_logs=False)  # logs are chalicelib.telemetry's
app.api.binary_types = ANY


def _reply(answer: Answer) -> Response:
    return Response(body=answer.body, status_code=answer.status, headers=answer.headers)


@app.route("/c/{kind}/{channel}/{action}", methods=METHODS, content_types=ANY)
def callback(kind: str, channel: str, action: str) -> Response:
    """An aggregator's webhook."""
    from chalicelib import webhooks

    return _reply(webhooks.handle(_event.get(), kind, channel, action))


@app.route("/send/{channel}", methods=METHODS, content_types=ANY)
def send_message(channel: str) -> Response:
    """The platform's door."""
    from chalicelib import sendapi

    return _reply(sendapi.handle(_event.get(), channel))


@app.route("/health", methods=["GET", "HEAD"], content_types=ANY)
def health() -> Response:
    """Alive: says nothing of AWS, whose troubles are not mended by replacing us."""
    return Response(body=b"ok\n", headers={"Content-Type": "text/plain"})


@app.on_sqs_message(queue_arn="${var.outbound_queue_arn}", batch_size=10, name="route")
def route(event: Any) -> dict[str, Any]:
    """λ route."""
    from chalicelib import routing

    return routing.route(event.to_dict(), event.context)


@app.on_sqs_message(queue_arn="${var.outbound_bulk_queue_arn}", batch_size=10, name="route_bulk")
def route_bulk(event: Any) -> dict[str, Any]:
    """λ route, for what can wait: a function of its own, so that a broadcast takes no reply's place."""
    from chalicelib import routing

    return routing.route(event.to_dict(), event.context)


@app.on_sqs_message(queue_arn="${var.lane_shared_queue_arn}", batch_size=10, name="send")
def send(event: Any) -> dict[str, Any]:
    """λ send; Terraform adds a mapping for each lane."""
    from chalicelib import sending

    return sending.send(event.to_dict(), event.context)


@app.on_sqs_message(queue_arn="${var.lane_nat_queue_arn}", batch_size=10, name="send_nat")
def send_nat(event: Any) -> dict[str, Any]:
    """λ send for lanes of aggregators that know us by our address: it goes out through fixed ones."""
    from chalicelib import sending

    return sending.send(event.to_dict(), event.context)


@app.on_sqs_message(queue_arn="${var.lane_vpc_queue_arn}", batch_size=10, name="send_vpc")
def send_vpc(event: Any) -> dict[str, Any]:
    """λ send for lanes of aggregators behind a VPN."""
    from chalicelib import sending

    return sending.send(event.to_dict(), event.context)


@app.on_sqs_message(queue_arn="${var.later_queue_arn}", batch_size=10, name="later")
def later(event: Any) -> dict[str, Any]:
    """λ later."""
    from chalicelib import later as use_case

    return use_case.later(event.to_dict(), event.context)


@app.on_sqs_message(queue_arn="${var.events_queue_arn}", batch_size=10, name="record")
def record(event: Any) -> dict[str, Any]:
    """λ record."""
    from chalicelib import recording

    return recording.record(event.to_dict(), event.context)


@app.on_sqs_message(queue_arn="${var.deliver_queue_arn}", batch_size=10, name="deliver")
def deliver(event: Any) -> dict[str, Any]:
    """λ deliver; Terraform adds a mapping for each platform."""
    from chalicelib import delivery

    return delivery.deliver(event.to_dict(), event.context)


@app.schedule(Rate(5, unit=Rate.MINUTES), name="canary", description="Canaries of SMSCs")
def canary(event: Any) -> None:
    """λ canary; Terraform switches the schedule on where an aggregator has one."""
    from chalicelib import canary as use_case

    use_case.run(event.to_dict(), event.context)
