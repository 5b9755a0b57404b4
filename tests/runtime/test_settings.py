import base64
import os
from pathlib import Path
from typing import Any

import pytest

from lienthong.runtime.settings import BadSettings, Settings, _is_secret, load


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
        (
            "KAFKA_SERVERS",
            "kafka.example",
            "LIENTHONG_KAFKA_SERVERS must be Kafka brokers as HOST:PORT,HOST:PORT, not 'kafka.example'.",
        ),
        (
            "KAFKA_SECURITY",
            "TLS",
            "LIENTHONG_KAFKA_SECURITY must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, not 'TLS'.",
        ),
        (
            "KAFKA_MECHANISM",
            "GSSAPI",
            "LIENTHONG_KAFKA_MECHANISM must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, not 'GSSAPI'.",
        ),
        (
            "KAFKA_GROUP",
            "two words",
            "LIENTHONG_KAFKA_GROUP must be a name of letters, digits, dots and hyphens, not 'two words'.",
        ),
        (
            "CARD_PARTITIONS",
            "1025",
            "LIENTHONG_CARD_PARTITIONS must be a number of partitions of cards.v1 from 1 to 1024, not '1025'.",
        ),
        ("CARD_BUCKETS", "0", "LIENTHONG_CARD_BUCKETS must be a number of buckets from 1 to 32768, not '0'."),
        (
            "PROJECTION_URL",
            "http://store.example",
            (
                "LIENTHONG_PROJECTION_URL must be redis://HOST:PORT, rediss://…, "
                "redis+cluster://HOST:PORT,HOST:PORT or rediss+cluster://…."
            ),
        ),
        (
            "HISTORY_URL",
            "mysql://u:p@db.example/h",
            "LIENTHONG_HISTORY_URL must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE.",
        ),
        (
            "KEYS_URL",
            "sqlite:///keys",
            "LIENTHONG_KEYS_URL must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE.",
        ),
        (
            "INSTANCE",
            "",
            (
                "LIENTHONG_INSTANCE must be a name of letters, digits, dots and hyphens, other than that of any other "
                "process, not ''."
            ),
        ),
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


WORD = "opensesame"
SECRETS = {
    "master_key": base64.b64encode(WORD.encode().ljust(32, b"x")).decode(),
    "kafka_password": WORD,
    "projection_url": f"redis://user:{WORD}@store.example:6379",
    "projection_password": WORD,
    "history_url": f"postgresql://user:{WORD}@db.example/history",
    "keys_url": f"postgresql://user:{WORD}@db.example/keys",
}


def test_the_secrets_of_these_tests_are_all_that_there_are() -> None:
    assert set(SECRETS) == {name for name, field in Settings.model_fields.items() if _is_secret(field)}


def test_no_secret_shows_in_anything_that_is_written_of_the_settings() -> None:
    settings = load(**SECRETS)
    written = [repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()]
    for secret in (WORD, SECRETS["master_key"]):
        assert not [text for text in written if secret in text]


@pytest.mark.parametrize("name", SECRETS)
def test_a_refusal_never_repeats_a_secret(name: str) -> None:
    (sentence,) = problems(**{name: [WORD]})
    assert sentence.startswith(f"LIENTHONG_{name.upper()} must be ")
    assert WORD not in sentence


@pytest.mark.parametrize("name", ["projection_url", "history_url", "keys_url"])
def test_an_address_that_is_refused_is_not_repeated_for_a_password_may_stand_in_it(name: str) -> None:
    (sentence,) = problems(**{name: f"ftp://user:{WORD}@db.example"})
    assert WORD not in sentence


@pytest.mark.parametrize("given", [{}, {"kafka_username": "a"}, {"kafka_password": WORD}])
def test_a_user_is_demanded_where_brokers_ask_who_one_is(given: dict[str, str]) -> None:
    assert problems(kafka_security="SASL_SSL", **given) == (
        "LIENTHONG_KAFKA_SECURITY SASL_SSL needs LIENTHONG_KAFKA_USERNAME and LIENTHONG_KAFKA_PASSWORD.",
    )


def test_everything_elsewhere_is_read_from_the_environment_by_a_child_as_by_its_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = load(
        **SECRETS,
        kafka_servers="a.example:9092,b.example:9092",
        kafka_security="SASL_SSL",
        kafka_username="user",
        kafka_ca_file=Path("/etc/ca.pem"),
        projection_username="user",
        projection_key_file=Path("/etc/key.pem"),
        card_partitions=64,
        instance="projector-1",
    )
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    assert load() == given
