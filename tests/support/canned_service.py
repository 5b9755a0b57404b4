"""A service that answers every request with what a test gave it, and remembers what it was asked."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass
class Canned:
    """The answer of a service, its status, and the last request: its method and path, and its body."""

    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    asked: str = ""
    received: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def answers(self, document: Any, status: int = 200) -> None:
        """Answer with this JSON from now on."""
        self.status, self.body = status, orjson.dumps(document)


@contextmanager
def canned_service() -> Iterator[Canned]:
    """Run such a service on a port of its own while the block lasts."""
    canned = Canned()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            canned.asked = f"{self.command} {self.path}"
            canned.headers = {name.lower(): value for name, value in self.headers.items()}
            canned.received = self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(canned.status)
            self.send_header("content-length", str(len(canned.body)))
            self.end_headers()
            self.wfile.write(canned.body)

        do_GET = do_POST = _answer  # noqa: N815  # names that the standard library looks for

        def log_message(self, *_arguments: object) -> None:
            """Write no access log."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        canned.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield canned
        finally:
            server.shutdown()
