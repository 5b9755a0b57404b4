"""Where the servers of an installation are, in words that may be shown: hosts and ports, never a user or a password."""

from urllib.parse import urlsplit

from pydantic import SecretStr

from lienthong.runtime.settings import Settings


def addresses(settings: Settings) -> dict[str, str | None]:
    """Return where the log, the projection, the history and the keys are; None for what is kept on this machine."""
    brokers = settings.kafka_servers
    return {
        "log": None if brokers is None else f"kafka://{brokers} ({settings.kafka_security})",
        "projection": _shown(settings.projection_url),
        "history": _shown(settings.history_url),
        "keys": _shown(settings.keys_url),
    }


def _shown(url: SecretStr | None) -> str | None:
    """Return the scheme, hosts and path of an address: what stands before an `@` or after a `?` may be a secret."""
    if url is None:
        return None
    parts = urlsplit(url.get_secret_value())
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
