"""A store server of its own that listens on a loopback port, with a user and a password if that is asked for."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lienthong.runtime.server_spec import ServerSpec, find_binary
from tests.support.distributed.processes import (
    LOOPBACK,
    Command,
    LocalServer,
    ServerEnded,
    free_ports,
    temporary_directory,
)
from tests.support.waiting import until

READY_TIMEOUT_S = 30.0
_CONTROL_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The only user of a server, and the password."""

    username: str
    password: str

    def settings(self) -> str:
        """Return the lines of a configuration that let in nobody else, and say who a replica is to its primary."""
        return (
            "user default off\n"
            f"user {self.username} on >{self.password} ~* &* +@all\n"
            f"masteruser {self.username}\n"
            f"masterauth {self.password}\n"
        )


class StoreServer:
    """A server with the embedded ones' configuration but for where it listens; `settings` come besides or instead."""

    def __init__(
        self, name: str = "store", *, login: Login | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self._directory = temporary_directory()
        self.port = free_ports(1)[0]
        self.login = login
        spec = ServerSpec(name=name, data=self._directory, run=self._directory, socket=self._directory / f"{name}.sock")
        given = {"port": str(self.port), "bind": LOOPBACK, **(settings or {})}
        text = spec.configuration() + "".join(f"{name} {value}\n" for name, value in given.items())
        spec.configuration_file.write_text(text + (login.settings() if login else ""), encoding="utf-8")
        self._process = LocalServer(
            Command(name=name, arguments=[find_binary(), spec.configuration_file], log=spec.log_file)
        )

    @property
    def address(self) -> str:
        """Where it listens: `HOST:PORT`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        """Its address as the settings want it, without the user."""
        return f"redis://{self.address}"

    @property
    def running(self) -> bool:
        """Tell whether the process lives, paused or not."""
        return self._process.running

    @property
    def pid(self) -> int:
        """The id of the process that runs or ran last."""
        return self._process.pid

    async def start(self) -> None:
        """Start the server, on its old data if it ran before, and return when it answers. Raises ServerEnded."""
        self._process.start()
        await self.ready()

    async def ready(self) -> None:
        """Return when the server answers. Raises ServerEnded if it does not."""
        try:
            await until(self._answers, READY_TIMEOUT_S)
        except TimeoutError:
            raise ServerEnded(self._process) from None

    async def heal(self) -> None:
        """Bring back a server that was killed or paused."""
        self.resume()
        if not self.running:
            await self.start()

    async def stop(self) -> None:
        """End the server and remove its data."""
        self._process.kill()
        shutil.rmtree(self._directory)

    def kill(self) -> None:
        """End the server with SIGKILL and return when it is gone; `start` starts it again."""
        self._process.kill()

    def pause(self) -> None:
        """Let the server stand still with its connections open."""
        self._process.pause()

    def resume(self) -> None:
        """Let a paused server go on."""
        self._process.resume()

    def client(self) -> redis.Redis:
        """Return a client that blocks, for what a test does to a server beside what it tests; close it."""
        return redis.Redis(
            host=LOOPBACK,
            port=self.port,
            username=self.login.username if self.login else None,
            password=self.login.password if self.login else None,
            socket_timeout=_CONTROL_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )

    def ask(self, *command: str | bytes | int) -> object:
        """Return the answer to one command as the server gives it. Raises redis.RedisError."""
        with self.client() as client:
            client.response_callbacks.clear()
            answer: object = client.execute_command(*command)
            return answer

    def empty(self) -> None:
        """Remove all data and functions."""
        self.ask("FLUSHALL")
        self.ask("FUNCTION", "FLUSH")

    def _answers(self) -> bool:
        if not self.running:
            raise ServerEnded(self._process)
        try:
            return bool(self.ask("PING"))
        except redis.RedisError:
            return False
