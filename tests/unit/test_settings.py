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
