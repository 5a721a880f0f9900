"""What the deployment tells the code through environment variables, read once."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass


class SettingsError(RuntimeError):
    """An environment variable is missing or unusable; the text names it and says what to set."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Names and limits of one deployment (a stage of one account and region)."""

    prefix: str  # of every queue, table and SSM path, e.g. "jangada-prod-"
    queue_base: (
        str  # queue URLs without the queue's own name, e.g. https://sqs.eu-west-1.amazonaws.com/123/jangada-prod-
    )
    ssm_prefix: str  # e.g. /jangada/prod
    domain: str  # public host of the callbacks, e.g. sms.example.org
    scheme: str  # of the callback URLs: https; http only on one machine
    kms_key: str  # KMS key of the secrets in SSM; "": the account's own, alias/aws/ssm
    allow_private: bool  # let channels and platforms live on private addresses (one machine, or a VPC of yours)
    share: int  # runs of λ send that one aggregator may have at a time on the shared lane

    def queue_url(self, name: str) -> str:
        """URL of the queue `name`, e.g. "events.fifo"."""
        return self.queue_base + name

    def table(self, name: str) -> str:
        """Name of the DynamoDB table `name`: registry, ledger or trace."""
        return self.prefix + name

    @property
    def callback_base(self) -> str:
        """Scheme and host of the callback URLs, without a final slash."""
        return f"{self.scheme}://{self.domain}"


def _need(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise SettingsError(f"environment variable {name} is not set; the deployment sets it (docs/architecture.md)")
    return value


def _number(name: str, otherwise: int) -> int:
    value = os.environ.get(name) or str(otherwise)
    if not (value.isascii() and value.isdigit() and int(value)):
        raise SettingsError(f"environment variable {name} is {value!r}: a whole number from 1 on was expected")
    return int(value)


@functools.cache
def settings() -> Settings:
    """The deployment's settings.

    Raises:
        SettingsError: a required variable is missing, or one is not what it must be.
    """
    return Settings(
        prefix=_need("JANGADA_PREFIX"),
        queue_base=_need("JANGADA_QUEUE_BASE"),
        ssm_prefix=_need("JANGADA_SSM_PREFIX").rstrip("/"),
        domain=os.environ.get("JANGADA_DOMAIN", "localhost"),
        scheme=os.environ.get("JANGADA_SCHEME", "https"),
        kms_key=os.environ.get("JANGADA_KMS_KEY", ""),
        allow_private=os.environ.get("JANGADA_ALLOW_PRIVATE", "") == "1",
        share=_number("JANGADA_SHARE", 2),
    )


def reset() -> None:
    """Forget what was read; the next call reads the environment again."""
    settings.cache_clear()
