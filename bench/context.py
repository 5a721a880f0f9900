"""A Lambda context with time left; imports nothing, so that a cold start may use it."""

from __future__ import annotations


class Context:
    """What handlers ask of it."""

    function_name = aws_request_id = "bench"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:000000000000:function:bench"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds."""
        return 120_000
