"""How commands speak with a running service over HTTP: one answer, or one sentence that says why there is none."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from lienthong.cli.console import fail

_OK: Final = 200
#: Faults of a request that are shown; the service lists up to twenty.
_FAULTS_SHOWN: Final = 5


def http_client(url: str, timeout_s: float) -> httpx.Client:
    """Return a client of one service; ends the command where the address is none.

    It goes by no proxy of the environment: a question about a person goes to the address given and nowhere else.
    """
    try:
        client = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)
    except (httpx.InvalidURL, ValueError):
        fail(f"{url!r} is no address of a service.", "Write it as http://127.0.0.1:8080.")
    if client.base_url.scheme not in {"http", "https"} or not client.base_url.host:
        fail(f"{url!r} is no address of a service.", "Write it as http://127.0.0.1:8080.")
    return client


def request(client: httpx.Client, method: str, path: str, **sent: Any) -> httpx.Response:
    """Send a request and return the response; ends the command where none comes."""
    try:
        return client.request(method, path, **sent)
    except httpx.TimeoutException:
        fail(f"The service at {client.base_url} took too long.", "See lienthong status.")
    except httpx.HTTPError as fault:
        fail(f"The service at {client.base_url} does not answer ({type(fault).__name__}).", "Start it: lienthong up")


def get_json(client: httpx.Client, path: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Return what the service answers; ends the command where it refuses."""
    response = request(client, "GET", path, params=query, follow_redirects=True)
    answered = json_of(response)
    if response.status_code != _OK:
        fail_refused(response, answered)
    return answered


def json_of(response: httpx.Response) -> dict[str, Any]:
    """Return the object of a response; ends the command where it has none."""
    try:
        answered = response.json()
    except ValueError:
        answered = None
    if not isinstance(answered, dict):
        fail(
            f"What answers at {response.url.host}:{response.url.port} is not Lien Thong (HTTP {response.status_code}).",
            "Give its address with --url.",
        )
    return answered


def fail_refused(response: httpx.Response, answered: Mapping[str, Any]) -> None:
    """End the command with the words of a problem (RFC 9457)."""
    said = answered.get("detail")
    faults = answered.get("faults") or (said if isinstance(said, list) else [])
    wrong = [f"{each.get('at') or _where(each)} {each.get('wrong') or each.get('msg')}" for each in faults]
    sentence = said if isinstance(said, str) else "The service refused the request."
    fail(f"{sentence} (HTTP {response.status_code})", "; ".join(wrong[:_FAULTS_SHOWN]))


def _where(fault: Mapping[str, Any]) -> str:
    return "/".join(str(part) for part in fault.get("loc", ()))
