import base64
import os
from pathlib import Path
from typing import Any

import pytest

from lienthong.runtime.settings import BadSettings, Settings, load


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LIENTHONG_")]:
        monkeypatch.delenv(name)


def problems(**given: Any) -> tuple[str, ...]:
    with pytest.raises(BadSettings) as refused:
        load(**given)
    return refused.value.problems


def test_nothing_needs_to_be_set() -> None:
    settings = load()
    assert (settings.host, settings.lookup_port, settings.monitor_port) == ("127.0.0.1", 8080, 8081)
    assert settings.data_dir.name == "lienthong"
    assert settings.master_key_bytes() is None


def test_a_given_setting_goes_before_the_environment_and_none_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIENTHONG_LOOKUP_PORT", "9000")
    monkeypatch.setenv("LIENTHONG_MONITOR_PORT", "9001")
    settings = load(lookup_port=9100, monitor_port=None)
    assert (settings.lookup_port, settings.monitor_port) == (9100, 9001)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LOOKUP_PORT", "0", "LIENTHONG_LOOKUP_PORT must be a port number from 1 to 65535, not '0'."),
        ("LOOKUP_PORT", "x", "LIENTHONG_LOOKUP_PORT must be a port number from 1 to 65535, not 'x'."),
        ("LOG_LEVEL", "loud", "LIENTHONG_LOG_LEVEL must be one of debug, info, warning and error, not 'loud'."),
        ("HOST", "desk", "LIENTHONG_HOST must be an IP address or localhost, not 'desk'."),
        ("ABSENCE_BOUND_S", "1", "LIENTHONG_ABSENCE_BOUND_S must be a number of seconds from 2 to 600, not '1'."),
        ("MASTER_KEY", "c2VjcmV0", "LIENTHONG_MASTER_KEY must be 32 random bytes in base64."),
        ("MASTER_KEY", "@@", "LIENTHONG_MASTER_KEY must be 32 random bytes in base64."),
    ],
)
def test_a_bad_setting_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(f"LIENTHONG_{name}", value)
    assert problems() == (sentence,)


def test_every_bad_setting_gets_its_own_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIENTHONG_LOOKUP_PORT", "x")
    monkeypatch.setenv("LIENTHONG_LOG_FORMAT", "xml")
    assert len(problems(image_bytes_max=1)) == 3


def test_a_setting_that_does_not_exist_is_refused() -> None:
    assert problems(lokup_port=1) == ("There is no setting LIENTHONG_LOKUP_PORT.",)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])  # noqa: S104  # that it is refused is the point
def test_an_address_open_to_others_is_refused_unless_told(host: str) -> None:
    (sentence,) = problems(host=host)
    assert sentence.startswith(f"LIENTHONG_HOST {host} is open to other machines")
    assert "--insecure-listen" in sentence
    assert load(host=host, insecure_listen=True).host == host


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_this_machine_alone_needs_no_telling(host: str) -> None:
    assert load(host=host).host == host


def test_a_child_reads_from_its_environment_what_its_parent_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    given = Settings(data_dir=Path("/data"), lookup_port=9000, insecure_listen=True, host="0.0.0.0", master_key=key)  # type: ignore[arg-type]  # noqa: S104  # pydantic makes a secret of it; a test value
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    assert load() == given
    assert load().master_key_bytes() == bytes(range(32))


def test_the_master_key_shows_nowhere() -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    assert key not in repr(load(master_key=key))
