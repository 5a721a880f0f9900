"""A channel's settings: RapidPro's own config keys of its type, and the keys that every type here has."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, StrictBool, ValidationError, model_validator
from pydantic_core import CoreSchema, core_schema


class ConfigError(ValueError):
    """Settings that cannot be used. The text names every bad key and says what to do; it holds no value."""


class Secret(str):
    """A string that shows itself only when it is used: its `repr` is asterisks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.str_schema(min_length=1, coerce_numbers_to_str=True),
            serialization=core_schema.plain_serializer_function_ser_schema(str.__str__),
            metadata={"pydantic_js_updates": {"format": "password", "writeOnly": True}},
        )


Text = Annotated[str, Field(min_length=1)]  # a string that may not be empty
Url = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+")]  # an absolute http(s) URL
Flag = StrictBool  # JSON true or false: the string "false" must never switch something on


class Settings(BaseModel):
    """Keys of every type, whatever serves it. An unknown key is an error that names it.

    A null is the same as a missing key, as in RapidPro; numbers are taken where text is asked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, coerce_numbers_to_str=True)

    max_age: int | None = Field(None, gt=0, description="seconds after which an unsent message has failed")
    in_doubt: Literal["resend", "fail", "ask"] = Field(
        "resend", description="what to do with a message that was offered and never answered"
    )
    alphanumeric_mo: Literal["drop", "deliver"] = Field("drop", description="messages from alphanumeric senders")

    @model_validator(mode="before")
    @classmethod
    def _null_is_missing(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, Mapping) else data

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Self:
        """The settings as a model.

        Raises:
            ConfigError: unknown, missing or unusable keys.
        """
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            raise ConfigError("; ".join(cls._explain(dict(item)) for item in error.errors(include_url=False))) from None

    @classmethod
    def _explain(cls, error: dict[str, Any]) -> str:
        key = ".".join(str(step) for step in error["loc"]) or "config"
        if error["type"] == "missing":
            return f"{key}: required key is missing"
        if error["type"] == "extra_forbidden":
            return f"{key}: unknown key; this type knows {', '.join(sorted(cls.model_fields))}"
        return f"{key}: {error['msg'].removeprefix('Value error, ')}"

    @classmethod
    @functools.cache
    def secret_keys(cls) -> tuple[str, ...]:
        """Names of the keys whose values are secrets and live in SSM."""
        return tuple(name for name, info in cls.model_fields.items() if _is_secret(info.annotation))

    def secrets(self) -> tuple[str, ...]:
        """The secret values that are set, for redaction."""
        return tuple(str(value) for name in self.secret_keys() if (value := getattr(self, name)))


class ChannelConfig(Settings):
    """Keys of every HTTP type; a type's own `Config` adds RapidPro's keys."""

    max_length: int | None = Field(None, ge=1, description="longest part in characters; unset: the type's own limit")
    callback_domain: str = Field("", description="host of the callback URLs we hand out; empty: the deployment's")
    secret: Secret | None = Field(None, description="expected in the callback URLs as ?token=, and put into ours")
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        (), description="CIDRs that callbacks may come from; empty: any"
    )
    max_tps: float | None = Field(None, gt=0, description="messages a second; unset: the aggregator's own pace")
    retry_errored: Flag = Field(
        False, description="leave a message alone that the aggregator reports as errored for now; false: it has failed"
    )


def _is_secret(annotation: Any) -> bool:
    return annotation is Secret or Secret in getattr(annotation, "__args__", ())
