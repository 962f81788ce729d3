"""Settings: what the environment says, and what is answered when it makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.errors import SettingsError
from tracker.settings import Settings, without_password


def test_an_empty_environment_is_a_usable_one() -> None:
    """Nothing configured means no network, this folder's files and a loopback address."""
    settings = Settings.from_env({"HOME": "/home/ada"})
    assert settings.redis_url is None
    assert settings.broker is None
    assert settings.host_and_port == ("127.0.0.1", 8420)
    assert settings.data_root == Path(".")
    assert settings.namespace == "default"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRACKER_REDIS_URL", "http://localhost"),
        ("TRACKER_REDIS_URL", "localhost:6379"),
        ("TRACKER_NAMESPACE", "a b"),
        ("TRACKER_NAMESPACE", "x" * 129),
        ("TRACKER_NAMESPACE", ".."),
        ("TRACKER_BIND", "8420"),
        ("TRACKER_BIND", "127.0.0.1:99999"),
        ("TRACKER_BASE_PATH", "/a?b"),
        ("TRACKER_LIVE_DAYS", "soon"),
        ("TRACKER_ARCHIVE_DAYS", "-1"),
        ("TRACKER_ARCHIVE_URL", "archive.sqlite3"),
        ("TRACKER_ARCHIVE_URL", "sqlite://"),
        ("TRACKER_ARCHIVE_URL", "sqlite:///"),
        ("TRACKER_ARCHIVE_URL", "sqlite:///:memory:"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str) -> None:
    """With its variable and, in the same line, what would be accepted."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({name: value})
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)


def test_one_server_may_be_spelled_for_events_and_broker() -> None:
    """A unix socket has two spellings; either is taken, and each side gets its own."""
    for url in ("unix:///run/redis.sock", "redis+socket:///run/redis.sock"):
        settings = Settings.from_env({"TRACKER_REDIS_URL": url})
        assert settings.redis_url == "unix:///run/redis.sock"
        assert settings.broker == "redis+socket:///run/redis.sock"


def test_the_broker_may_be_another_server() -> None:
    """Events stay where they are."""
    settings = Settings.from_env({"TRACKER_REDIS_URL": "redis://a", "TRACKER_BROKER_URL": "amqp://b"})
    assert (settings.redis_url, settings.broker) == ("redis://a", "amqp://b")


def test_the_archive_is_a_file_of_the_state_folder_unless_it_is_named() -> None:
    """However the folder is written, its URL has an absolute path."""
    assert Settings.from_env({"TRACKER_STATE_DIR": "/srv/state"}).archive == "sqlite:////srv/state/archive.sqlite3"
    there = Path("state").absolute()
    assert Settings.from_env({"TRACKER_STATE_DIR": "state"}).archive == f"sqlite:///{there}/archive.sqlite3"
    named = Settings.from_env({"TRACKER_ARCHIVE_URL": "sqlite:////srv/done.sqlite3", "TRACKER_ARCHIVE_DAYS": "0"})
    assert (named.archive, named.archive_days) == ("sqlite:////srv/done.sqlite3", 0)


def test_another_database_is_refused_without_a_word_of_its_url() -> None:
    """Its password stands there."""
    with pytest.raises(SettingsError, match="TRACKER_ARCHIVE_URL") as refused:
        Settings.from_env({"TRACKER_ARCHIVE_URL": "postgresql://ada:hunter2@db/tracker"})
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(Settings(archive_url="sqlite:////hunter2"))


def test_no_password_shows_in_what_is_printed() -> None:
    """Neither in the settings' own form nor in a URL made for people."""
    settings = Settings.from_env({"TRACKER_REDIS_URL": "redis://ada:hunter2@localhost:6379/1"})
    assert "hunter2" not in repr(settings)
    assert without_password(settings.redis_url or "") == "redis://localhost:6379/1"


def test_base_path_and_bind_are_brought_into_one_form() -> None:
    """However they are written."""
    assert Settings.from_env({"TRACKER_BASE_PATH": "tracker/"}).base_path == "/tracker"
    assert Settings.from_env({"TRACKER_BASE_PATH": "/"}).base_path == ""
    assert Settings.from_env({"TRACKER_BIND": "[::1]:80"}).host_and_port == ("::1", 80)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2/x@host:6379/0",
        "redis://:hunter2#x@host:6379/0",
        "redis://:hunter2?x@host:6379/0",
        "redis://:2222/hunter2@host/0",
        "redis://:2222?hunter2@host",
        "redis://:2222#hunter2@host",
        "redis://[hunter2",
        "redis://host:hunter2",
        "redis://host/hunter2",
        "redis://host:0/0?password=hunter2",
        "redis://host/0?hunter2=x",
        "redis://host/0?db=hunter2",
        "redis://host/0?ssl_cert_reqs=none&password=hunter2",
        "redis://host/0?decode_responses=1&password=hunter2",
        "rediss://host/0?ssl_cert_reqs=hunter2",
        "unix://?password=hunter2",
        "hunter2:x@host",
    ],
)
def test_a_redis_url_that_no_client_takes_is_refused_without_a_word_of_it(url: str) -> None:
    """A password that is not escaped tears the URL apart, and each piece of it may be the secret."""
    with pytest.raises(SettingsError, match="TRACKER_REDIS_URL") as refused:
        Settings.from_env({"TRACKER_REDIS_URL": url})
    assert "hunter2" not in str(refused.value)
    assert "2222" not in str(refused.value)
    assert "hunter2" not in without_password(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost", "redis://localhost"),
        ("redis://localhost:6379/", "redis://localhost:6379/"),
        ("redis://ada:hunter2%2Fx@[::1]:6379/3", "redis://[::1]:6379/3"),
        ("redis://127.0.0.1:1/0?password=hunter2&protocol=3", "redis://127.0.0.1:1/0"),
        ("redis://localhost?db=2&socket_timeout=0.5", "redis://localhost"),
        ("rediss://:hunter2@h/0?ssl_cert_reqs=none&ssl_check_hostname=false", "rediss://h/0"),
        ("unix:///run/redis.sock?password=hunter2&db=1", "unix:///run/redis.sock"),
        ("unix://:hunter2@/run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_a_redis_url_that_a_client_takes_is_taken_and_shown_without_its_password(url: str, shown: str) -> None:
    """What is accepted here is accepted by redis-py as well; a password may also stand among the options."""
    from tracker.store.client import Client

    taken = Settings.from_env({"TRACKER_REDIS_URL": url}).redis_url
    assert taken == url
    assert Client(taken).redis is not None
    assert without_password(taken) == shown


@pytest.mark.parametrize("url", ["redis://h/0?hunter2=x", "redis://h/0?db=hunter2", "redis://h:hunter2", "hunter2"])
def test_what_redis_refuses_of_a_url_is_one_line_without_a_word_of_it(url: str) -> None:
    """A thread that nobody watches would die of it."""
    from tracker.errors import StoreUnavailable
    from tracker.store.client import Client

    with pytest.raises(StoreUnavailable, match="TRACKER_REDIS_URL") as refused, Client(url).answering() as client:
        client.ping()
    assert "hunter2" not in repr(refused.value)
    assert refused.value.__suppress_context__
