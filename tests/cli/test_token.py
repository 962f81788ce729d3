"""``tracker token``: a token is printed once, its digest kept, and the commands of its holder do what they may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.web.client import Server, serving
from tests.web.conftest import SCHEMA
from tracker.clock import now
from tracker.store import JobInfo, Store
from tracker.tokens import Role, Tokens, login_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


@pytest.fixture
def guarded(
    redis_url: str, namespace: str, store: Store, file: Path, tmp_path: Path, tracker: Run
) -> Iterator[tuple[Server, str, str]]:
    """A server that wants tokens, and those of an operator and of a viewer, made at the command line."""
    store.publish_jobs("alive", [JobInfo("copy", SCHEMA, f"queue-{namespace}")])
    setting = {"TRACKER_TOKENS_FILE": str(file)}
    ada = out(tracker, "token", "ada", "--role", "operator", **setting).strip()
    vic = out(tracker, "token", "vic", **setting).strip()
    with serving(redis_url, namespace, tmp_path / "web.log", setting) as server:
        yield server, ada, vic


def out(tracker: Run, *arguments: str, **variables: str) -> str:
    """What a command that has no trouble says."""
    command = tracker(*arguments, **variables)
    assert command.code() == 0, command.err
    return command.out


def test_a_token_stands_alone_on_stdout(tracker: Run, file: Path) -> None:
    """So that it can be piped to where secrets are kept; what is said about it goes to stderr."""
    command = tracker("token", "ada", "--role", "operator", TRACKER_TOKENS_FILE=str(file))
    assert command.code() == 0
    (token,) = command.lines
    assert "ada, operator" in command.err
    assert token not in command.err + file.read_text()
    holder = Tokens(file).holder_of(login_of(token))
    assert holder is not None
    assert (holder.name, holder.role, holder.until) == ("ada", Role.OPERATOR, None)


def test_as_json_with_its_end(tracker: Run, file: Path) -> None:
    """One object; a viewer unless somebody says otherwise."""
    command = tracker("token", "wall", "--days", "7", "--json", TRACKER_TOKENS_FILE=str(file))
    assert (command.code(), command.err) == (0, "")
    told = json.loads(command.out)
    assert (told["name"], told["role"]) == ("wall", "viewer")
    assert 7 * 86_400 < told["until"] - now() <= 8 * 86_400
    assert Tokens(file).holder_of(login_of(told["token"])) is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a/b"], "is no name"),
        (["ada", "--role", "admin"], "is not one of 'viewer', 'operator'"),
        (["ada", "--days", "0"], "--days"),
    ],
)
def test_a_mistake_is_one_line(tracker: Run, file: Path, arguments: list[str], said: str) -> None:
    """With exit code 2, and nothing is written."""
    assert tracker("token", "ada", TRACKER_TOKENS_FILE=str(file)).code() == 0
    before = file.read_text()
    command = tracker("token", *arguments, TRACKER_TOKENS_FILE=str(file))
    assert command.code() == 2
    assert command.out == ""
    assert len(command.err.splitlines()) == 1
    assert said in command.err
    assert file.read_text() == before


def test_without_a_file_it_says_which_setting_is_missing(tracker: Run) -> None:
    """Exit code 2."""
    command = tracker("token", "ada")
    assert (command.code(), command.out) == (2, "")
    assert "TRACKER_TOKENS_FILE is not set" in command.err


def test_the_commands_of_an_operator_queue_and_act(tracker: Run, guarded: tuple[Server, str, str]) -> None:
    """Over HTTP, with the token in the environment."""
    server, ada, _ = guarded
    place = {"TRACKER_SERVER": server.url, "TRACKER_TOKEN": ada}
    id = json.loads(out(tracker, "submit", "copy", "--path", "a", "--json", **place))["id"]
    out(tracker, "cancel", id, "--yes", **place)
    shown = json.loads(out(tracker, "show", id, "--json", **place))
    assert (shown["status"], shown["cancel"]["by"]) == ("cancelled", "ada")


def test_the_commands_of_a_viewer_look_and_do_not_act(tracker: Run, guarded: tuple[Server, str, str]) -> None:
    """What is refused says why, with exit code 6."""
    server, _, vic = guarded
    listed = tracker("jobs", "--server", server.url, TRACKER_TOKEN=vic)
    assert (listed.code(), listed.lines[0].split("\t")[0]) == (0, "copy")
    refused = tracker("submit", "copy", "--path", "a", "--server", server.url, TRACKER_TOKEN=vic)
    assert refused.code() == 6
    assert "vic may look and not act" in refused.err


@pytest.mark.parametrize(("token", "said"), [("", "set TRACKER_TOKEN"), ("trk_nobodys", "does not take the token")])
def test_a_stranger_is_told_what_is_missing(
    tracker: Run, guarded: tuple[Server, str, str], token: str, said: str
) -> None:
    """The same for what asks once and for what follows."""
    for verb in ("ls", "watch"):
        command = tracker(verb, "--server", guarded[0].url, TRACKER_TOKEN=token)
        assert command.code() == 6
        assert said in command.err
