"""Reads the settings of a process from its environment and refuses bad ones in one sentence each."""

import base64
import binascii
import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import SettingsConfigDict

from lienthong.runtime.distributed import DistributedSettings

PREFIX = "LIENTHONG_"
MASTER_KEY_BYTES = 32

OPEN_TO_ALL = (
    "LIENTHONG_HOST {host} is open to other machines and nothing asks them who they are; "
    "use a loopback address, or say --insecure-listen."
)

Port = Annotated[int, Field(ge=1, le=65_535)]


class BadSettings(Exception):
    """One or more settings cannot be used; `problems` has a sentence for each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__(" ".join(problems))


class Settings(DistributedSettings):
    """What can be set, as `LIENTHONG_<NAME>`. Each description completes the sentence "… must be …"."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("lienthong")),
        description="a directory that this user can write to",
    )
    host: str = Field(default="127.0.0.1", description="an IP address or localhost")
    lookup_port: Port = Field(default=8080, description="a port number from 1 to 65535")
    monitor_port: Port = Field(default=8081, description="a port number from 1 to 65535")
    insecure_listen: bool = Field(default=False, description="true or false")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="one of debug, info, warning and error"
    )
    log_format: Literal["json", "console"] = Field(default="json", description="json or console")
    log_to: Literal["stderr", "files"] = Field(default="stderr", description="stderr or files")

    # The longest that a cell may be behind the log and still prove that a card does not exist.
    absence_bound_s: Annotated[float, Field(ge=2, le=600)] = Field(
        default=5.0, description="a number of seconds from 2 to 600"
    )

    # A VssID screenshot is under 3 MB and 1440×3200; a decoder needs four bytes of memory a pixel.
    image_bytes_max: Annotated[int, Field(ge=1024, le=5 * 1024 * 1024)] = Field(
        default=5 * 1024 * 1024, description="a number of bytes from 1024 to 5242880"
    )
    image_pixels_max: Annotated[int, Field(ge=10_000, le=50_000_000)] = Field(
        default=25_000_000, description="a number of pixels from 10000 to 50000000"
    )
    image_deadline_s: Annotated[float, Field(gt=0, le=30)] = Field(
        default=2.0, description="a number of seconds above 0 and up to 30"
    )

    server_binary: Path | None = Field(default=None, description="the path of a valkey-server or redis-server program")
    master_key: SecretStr | None = Field(default=None, description="32 random bytes in base64")

    @field_validator("host")
    @classmethod
    def _address(cls, value: str) -> str:
        if value != "localhost":
            ipaddress.ip_address(value)
        return value

    @field_validator("master_key")
    @classmethod
    def _key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(_decoded(value)) != MASTER_KEY_BYTES:
            raise ValueError
        return value

    @model_validator(mode="after")
    def _loopback(self) -> Self:
        """There are no desk keys: whoever reaches the port can look cards up."""
        local = self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        if not local and not self.insecure_listen:
            kind = "insecure_listen"
            raise PydanticCustomError(kind, OPEN_TO_ALL, {"host": self.host})
        return self

    def master_key_bytes(self) -> bytes | None:
        """Return the master key, None where it is kept in a file of the data directory."""
        return None if self.master_key is None else _decoded(self.master_key)

    def environment(self) -> dict[str, str]:
        """Return the variables that give a child process these settings."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            f"{PREFIX}{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in given.items()
            if value is not None
        }


def load(**given: Any) -> Settings:
    """Return the settings from the environment, `given` ones (those that are not None) before it.

    Raises BadSettings with a sentence for each one that cannot be used.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as fault:
        raise BadSettings(tuple(_sentence(error) for error in fault.errors())) from None


def _decoded(value: SecretStr) -> bytes:
    try:
        return base64.b64decode(value.get_secret_value(), validate=True)
    except (ValueError, binascii.Error):
        return b""


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in get_args(field.annotation)


def _sentence(error: ErrorDetails) -> str:
    if not error["loc"]:
        return error["msg"]
    name = str(error["loc"][0])
    variable = f"{PREFIX}{name.upper()}"
    field = Settings.model_fields.get(name)
    if field is None:
        return f"There is no setting {variable}."
    found = "" if _is_secret(field) else f", not {error['input']!r}"
    return f"{variable} must be {field.description}{found}."
