"""Tokens: what the file says, what it does not hold, and what becomes of it while it is used."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from tests.support import wait_for
from tracker import tokens
from tracker.errors import SettingsError
from tracker.redact import TEXT, line
from tracker.tokens import Holder, Role, Tokens, add, digest_of, login_of, new_token, read

DAY = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked at more often than once a second."""
    monkeypatch.setattr(tokens, "LOOK_EVERY", 0.01)


def test_a_token_is_its_holders_and_nobody_elses(path: Path) -> None:
    """In the role it was made with, for good."""
    ada, _ = add(path, "ada", Role.OPERATOR, None)
    vic, _ = add(path, "vic", Role.VIEWER, None)
    held = Tokens(path)
    found = [held.holder_of(login_of(token)) for token in (ada, vic, new_token(), "")]
    assert [(one.name, one.role, one.until) for one in found if one is not None] == [
        ("ada", Role.OPERATOR, None),
        ("vic", Role.VIEWER, None),
    ]
    assert found[2:] == [None, None]


def test_neither_the_file_nor_the_browsers_value_is_good_in_place_of_a_token(path: Path) -> None:
    """Whoever reads one of them cannot make the one before it."""
    token, holder = add(path, "ada", Role.OPERATOR, None)
    login = login_of(token)
    text = path.read_text()
    assert token not in text
    assert login not in text
    assert holder.digest in text
    held = Tokens(path)
    assert held.holder_of(login) == holder
    # As a browser's value the token is nothing; sent as tokens, neither of the others is anything.
    assert [held.holder_of(value) for value in (token, holder.digest, login_of(login), login_of(holder.digest))] == [
        None
    ] * 4


def test_the_file_is_its_owners_and_keeps_what_people_wrote(path: Path) -> None:
    """A comment stays, and a line without an end gets one."""
    add(path, "ada", Role.OPERATOR, None)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(path.read_text() + "\n# the night shift")
    add(path, "vic", Role.VIEWER, None)
    assert "# the night shift\nvic viewer sha256:" in path.read_text()
    assert [holder.name for holder in read(path)] == ["ada", "vic"]


def test_a_token_can_take_the_place_of_another(path: Path) -> None:
    """Both are good until the line of the older one, which stands first, is taken out."""
    made = [add(path, "ada", Role.OPERATOR, None) for _ in range(2)]
    held = Tokens(path)
    assert [held.holder_of(login_of(token)) for token, _ in made] == [holder for _, holder in made]
    rows = path.read_text().splitlines(True)
    path.write_text("".join([*rows[:-2], rows[-1]]))
    wait_for(lambda: not held.knows(made[0][1]))
    assert held.knows(made[1][1])


def test_nothing_is_added_to_a_file_that_makes_no_sense(path: Path) -> None:
    """It is said what is wrong, and the file stays as it is."""
    add(path, "ada", Role.VIEWER, None)
    path.write_text(f"{path.read_text()}vic\n")
    before = path.read_text()
    with pytest.raises(SettingsError, match="NAME ROLE DIGEST"):
        add(path, "vic", Role.OPERATOR, None)
    assert path.read_text() == before


def test_a_token_with_an_end_is_void_from_then_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is good for as many whole days as were asked for, whoever has been let in with it before."""
    moment = 1_700_000_000.0
    monkeypatch.setattr(tokens, "now", lambda: moment)
    token, holder = add(path, "ada", Role.VIEWER, 3)
    assert holder.until is not None
    assert 3 * DAY < holder.until - moment <= 4 * DAY
    held = Tokens(path)
    moment = holder.until - 1
    assert held.holder_of(login_of(token)) == holder
    assert held.knows(holder)
    moment = holder.until
    assert held.holder_of(login_of(token)) is None
    assert not held.knows(holder)


def test_a_new_token_is_good_at_once_and_one_that_is_taken_out_soon_is_not(path: Path) -> None:
    """The server need not be told of either."""
    add(path, "ada", Role.OPERATOR, None)
    held = Tokens(path)
    token, vic = add(path, "vic", Role.VIEWER, None)
    assert held.holder_of(login_of(token)) == vic
    path.write_text("".join(row for row in path.read_text().splitlines(True) if not row.startswith("vic")))
    wait_for(lambda: not held.knows(vic))
    assert held.holder_of(login_of(token)) is None


def test_another_role_is_another_holder(path: Path) -> None:
    """What was begun as an operator does not go on as a viewer."""
    token, ada = add(path, "ada", Role.OPERATOR, None)
    held = Tokens(path)
    path.write_text(path.read_text().replace("ada operator", "ada viewer"))
    wait_for(lambda: not held.knows(ada))
    found = held.holder_of(login_of(token))
    assert found is not None
    assert found.role is Role.VIEWER


@pytest.mark.parametrize("spoil", ["gone", "broken", "open"])
def test_nobody_is_let_in_by_a_file_that_cannot_be_trusted(
    path: Path, spoil: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Said once in the log; when it is mended, everybody is let in as before."""
    token, ada = add(path, "ada", Role.OPERATOR, None)
    held, good = Tokens(path), path.read_text()
    if spoil == "gone":
        path.unlink()
    elif spoil == "broken":
        path.write_text(good + "vic\n")
    else:
        os.chmod(path, 0o622)
    with caplog.at_level(logging.ERROR, "tracker"):
        wait_for(lambda: not held.knows(ada))
        assert held.holder_of(login_of(token)) is None
    assert [record.getMessage() for record in caplog.records if "nobody is let in" not in record.getMessage()] == []
    assert len(caplog.records) == 1
    path.write_text(good)
    os.chmod(path, 0o600)
    assert held.holder_of(login_of(token)) == ada


GOOD = digest_of(login_of("trk_x"))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("ada operator", "NAME ROLE DIGEST"),
        (f"ada operator {GOOD} 2027-01-31 more", "NAME ROLE DIGEST"),
        (f"a/b operator {GOOD}", "a name has"),
        (f"{'a' * 65} operator {GOOD}", "a name has"),
        (f"ada admin {GOOD}", "viewer or operator"),
        ("ada operator trk_0000000000000000000000000000000000000000000", "no digest"),
        (f"ada operator {GOOD[:-1]}", "no digest"),
        (f"ada operator {GOOD} soon", "no day"),
        (f"ada operator {GOOD} 2027-02-30", "no day"),
    ],
)
def test_a_line_that_makes_no_sense_is_named_and_not_quoted(path: Path, row: str, reason: str) -> None:
    """It may hold a token that somebody has written there by mistake."""
    path.write_text(f"# who\n\nvic viewer {digest_of('other')}\n{row}\n")
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=reason) as refused:
        Tokens(path)
    assert "TRACKER_TOKENS_FILE" in str(refused.value)
    assert "line 4" in str(refused.value)
    assert "trk_" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_said(path: Path) -> None:
    """In one line that names it: missing, a folder, no text."""
    with pytest.raises(SettingsError, match=f"{path}, which cannot be read: No such file"):
        Tokens(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="it is no text"):
        Tokens(path)
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        add(path.parent, "ada", Role.VIEWER, None)


def test_a_line_is_read_as_it_was_written(path: Path) -> None:
    """With its end and without one."""
    made = [Holder("ada", Role.OPERATOR, GOOD), Holder("vic@acme.example", Role.VIEWER, digest_of("x"), 20_000 * DAY)]
    path.write_text("".join(f"{holder.line}\n" for holder in made))
    path.chmod(0o600)
    assert list(read(path)) == made


def test_a_token_in_a_text_is_masked() -> None:
    """Somebody who tracks a command with one in it does not hand it to all who may look."""
    token = new_token()
    assert token not in line(f"curl -H {token} http://localhost", TEXT)
