"""The documentation says what exists: every setting, word, command and route, and nothing that is not there."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path

import click
import pytest

import tracker
from tracker.cli.commands import COMMANDS
from tracker.cli.commands import tracker as command_line
from tracker.doctor import CHECKS, Level
from tracker.model import EventType, Flag, Status, StepStatus
from tracker.settings import Settings
from web.app import create_app
from web.problems import PROBLEMS
from web.routes import ROUTES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
CODE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
VARIABLE = re.compile(r"\bTRACKER_[A-Z_]+\b")


def pages() -> list[Path]:
    """Every page that is ours."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def section(page: str, heading: str) -> str:
    """The text under a heading of any level, up to the next one of that level."""
    text = CODE.sub("", (DOCS / page).read_text())
    found = re.search(rf"^(#+) {re.escape(heading)}(?!\w).*?$(.*?)(?=^\1 |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"docs/{page} has no heading {heading!r}"
    return found[2]


def first_cells(text: str) -> set[str]:
    """What stands in the first column of the tables in ``text``, in code quotes."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return {cell for row in rows for cell in re.findall(r"`([^`]+)`", row)}


def blocks(page: Path, language: str) -> list[str]:
    return [found["text"] for found in CODE.finditer(page.read_text()) if found["language"] == language]


# ---- words ---------------------------------------------------------------------------------------


def setting_names() -> set[str]:
    """The variables named beside the fields of ``Settings``."""
    return set(VARIABLE.findall((ROOT / "tracker" / "settings.py").read_text()))


def test_every_setting_has_a_row() -> None:
    """What can be set can be looked up, and what is described can be set."""
    text = (DOCS / "settings.md").read_text()
    assert {name for name in first_cells(text) if name.startswith("TRACKER_")} == setting_names()
    assert len(setting_names()) == len(Settings.__dataclass_fields__)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_no_page_names_a_variable_that_nobody_reads(page: Path) -> None:
    """A variable that does nothing costs its reader an evening."""
    in_compose = set(re.findall(r"\$\{(TRACKER_[A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert set(VARIABLE.findall(page.read_text())) - setting_names() - in_compose == set()


@pytest.mark.parametrize(
    ("words", "heading"),
    [
        (Status, "Status of an operation"),
        (Flag, "What is said of a running operation"),
        (StepStatus, "Status of a step"),
        (EventType, "Types of events"),
    ],
)
def test_every_status_and_event_type_has_a_row(words: type[StrEnum], heading: str) -> None:
    """The glossary is complete and holds no word of the past."""
    in_first_column = first_cells(section("glossary.md", heading))
    assert in_first_column == {word.value for word in words}


def public_methods(kind: type) -> set[str]:
    return {name for name, value in vars(kind).items() if inspect.isfunction(value) and not name.startswith("_")}


def test_every_public_name_has_a_row() -> None:
    """What ``tracker`` exports, what ``StepTracker`` takes, and what can be called on it and on a step."""
    beginning = (DOCS / "python-api.md").read_text().partition("\n## ")[0]
    assert first_cells(beginning) == set(tracker.__all__)
    tracker_rows = first_cells(section("python-api.md", "StepTracker"))
    parameters = set(inspect.signature(tracker.StepTracker).parameters)
    methods = {row.partition("(")[0] for row in tracker_rows if "(" in row}
    assert {row for row in tracker_rows if "(" not in row} == parameters
    assert methods == public_methods(tracker.StepTracker)
    step_rows = {row.partition("(")[0] for row in first_cells(section("python-api.md", "A step"))}
    assert step_rows == public_methods(tracker.Step) - {"state"}


# ---- command line --------------------------------------------------------------------------------


def command(name: str) -> click.Command:
    found = command_line.get_command(click.Context(command_line), name)
    assert found is not None, f"there is no command tracker {name}"
    return found


def options_of(name: str) -> set[str]:
    parameters = command(name).params
    return {option for parameter in parameters if isinstance(parameter, click.Option) for option in parameter.opts}


def test_every_command_has_a_row() -> None:
    """The table of commands is the table of commands."""
    rows = first_cells((DOCS / "command-line.md").read_text().partition("## Everywhere")[0])
    assert rows == {f"tracker {name}" for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_has_a_row(name: str) -> None:
    """In the command's own section, or among the options that all commands have."""
    own = {cell.split()[0] for cell in first_cells(section("command-line.md", f"`tracker {name}"))}
    everywhere = {cell.split()[0] for cell in first_cells(section("command-line.md", "Everywhere"))}
    assert own <= options_of(name), "described, but not there"
    assert options_of(name) <= own | everywhere, "there, but not described"


def shell_lines() -> Iterator[tuple[str, list[str]]]:
    """Page and words of every command in the shell blocks of all pages."""
    for page in pages():
        for block in blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                while words and re.match(r"[A-Z_]+=", words[0]):
                    words.pop(0)
                if words:
                    yield name_of(page), words


def quoted_lines() -> Iterator[tuple[str, list[str]]]:
    """The same for commands quoted inside sentences, such as `tracker ls`."""
    for page in pages():
        for text in re.findall(r"`((?:tracker|python3 dev\.py) [^`\n]*)`", CODE.sub("", page.read_text())):
            yield name_of(page), shlex.split(text)


COMMAND_LINES = [*shell_lines(), *quoted_lines()]
TRACKER_LINES = [(page, words) for page, words in COMMAND_LINES if words[0] == "tracker"]
DEV_LINES = [(page, words) for page, words in COMMAND_LINES if words[:2] == ["python3", "dev.py"]]


@cache
def help_of(*command: str) -> str:
    """What ``--help`` of a real process says."""
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb"}
    done = subprocess.run([*command, "--help"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_id(value: object) -> str:
    return value if isinstance(value, str) else " ".join(map(str, value)) if isinstance(value, list) else ""


@pytest.mark.parametrize(("page", "words"), TRACKER_LINES, ids=as_id)
def test_every_tracker_command_in_the_pages_exists(page: str, words: list[str]) -> None:
    """With the options it is shown with, as its own ``--help`` tells them."""
    if words[1] in ("COMMAND", "--version"):
        return
    assert words[1] in COMMANDS, page
    told = help_of(sys.executable, "-m", "tracker", words[1])
    shown = [word.partition("=")[0] for word in words[2:] if word.startswith("-") and word != "-"]
    assert [option for option in shown if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", told)] == [], page


@pytest.mark.parametrize(("page", "words"), DEV_LINES, ids=as_id)
def test_every_dev_command_in_the_pages_exists(page: str, words: list[str]) -> None:
    """``dev.py`` says at ``--help`` which commands it has; ``lock`` is for maintainers and stands in its code only."""
    told = help_of(sys.executable, "dev.py")
    assert f"dev.py {words[2]}" in told or f'"{words[2]}"' in (ROOT / "dev.py").read_text(), page


def test_the_readme_shows_both_commands() -> None:
    """The two commands are what a newcomer needs; they stand in a block that can be copied."""
    copied = [line for block in blocks(README, "sh") for line in block.splitlines()]
    assert {"python3 dev.py demo", "python3 dev.py test"} <= set(copied)


def test_every_check_of_the_doctor_has_its_rows() -> None:
    """Who meets a finding can look it up under the name of its check, and no check of the past is described."""
    rows = first_cells((DOCS / "doctor.md").read_text())
    assert rows - {level.value for level in Level} == {check.name for check in CHECKS}


# ---- HTTP ----------------------------------------------------------------------------------------


def routes() -> set[str]:
    app = create_app(Settings(redis_url="redis://127.0.0.1:1/0"))
    parameter, braced = re.compile(r"<(?:path:)?(\w+)>"), r"{\1}"
    return {
        f"{method} {parameter.sub(braced, rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or {"GET"}) - {"HEAD", "OPTIONS"}
    }


def test_every_route_has_a_row() -> None:
    """The table of routes is what the application serves, no more and no less."""
    rows = {cell for cell in first_cells((DOCS / "http-api.md").read_text()) if re.match(r"[A-Z]+ /", cell)}
    assert rows == routes()


def test_every_problem_has_a_row() -> None:
    """Each kind of problem is in the table of errors under its status, and each row is in the code."""
    rows = re.findall(r"^\| (\d+) \| `/problems/([a-z-]+)`", section("http-api.md", "Errors"), re.MULTILINE)
    assert {kind: int(status) for status, kind in rows} == {kind: status for kind, (status, _) in PROBLEMS.items()}


def test_every_parameter_of_a_route_has_a_row() -> None:
    """What a query may say is described, and what is described is heeded."""
    rows = first_cells(section("http-api.md", "Lists"))
    known = {name for route in ROUTES for name in route.query.__struct_fields__}
    assert rows == known


# ---- pages ---------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made where the pages are shown."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links between pages resolve, with their anchors; links to elsewhere are https."""
    text = CODE.sub("", page.read_text())
    broken = []
    for target in (found["target"] for found in LINK.finditer(text)):
        path, _, anchor = target.partition("#")
        place = (page.parent / path) if path else page
        if target.startswith("https://"):
            continue
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    assert broken == []


def test_every_page_is_reachable_from_the_readme() -> None:
    """A page nobody links to is a page nobody reads."""
    seen: set[Path] = set()
    waiting = [README]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        targets = [found["target"].partition("#")[0] for found in LINK.finditer(page.read_text())]
        waiting += [path for target in targets if (path := (page.parent / target).resolve()).suffix == ".md"]
    assert set(pages()) <= seen


def test_decisions_are_short() -> None:
    """A decision fits one screen: context, decision, consequences."""
    for page in sorted((DOCS / "adr").glob("0*.md")):
        text = page.read_text()
        assert len(text.splitlines()) <= 40, name_of(page)
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], name_of(page)


def test_the_contract_names_tests_that_exist() -> None:
    """Every clause says "holds" with its tests, or "not yet"."""
    text = (DOCS / "contract.md").read_text()
    clauses = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    for clause in clauses:
        status = re.search(r"^Status: (holds|partly|not yet)\b", clause, re.MULTILINE)
        assert status, clause.splitlines()[0]
        assert named_tests(clause) or status[1] == "not yet", clause.splitlines()[0]


def test_the_faults_name_tests_that_exist() -> None:
    """Every row says what happens, what people see, and which test shows it, or that none does yet."""
    rows = [line for line in (DOCS / "faults.md").read_text().splitlines() if line.startswith("| ")]
    for row in rows:
        _, fault, happens, seen, shown, _ = (cell.strip() for cell in row.split("|"))
        assert all((fault, happens, seen)), row
        assert shown == "Test" or named_tests(shown) or shown.startswith("Not yet"), row
    assert len(rows) > 40


def named_tests(text: str) -> list[str]:
    """The tests that a page names, all of which exist."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert [f"{path}::{test}" for path, test in named if not has_test(ROOT / path, test)] == []
    return [test for _, test in named]


def has_test(path: Path, test: str) -> bool:
    return path.exists() and f"def {test}(" in path.read_text()


# ---- the example ---------------------------------------------------------------------------------


def test_the_readme_shows_the_quickstart() -> None:
    """The example people copy is the example that is tested."""
    _, _, code = (ROOT / "examples" / "quickstart.py").read_text().partition('"""\n\n')
    assert blocks(README, "python")[0] == code
    assert len([line for line in code.splitlines() if line]) <= 12


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md", "docs/python-api.md"])
def test_the_first_example_of_a_page_runs(page: str, tmp_path: Path) -> None:
    """As it stands, in a process of its own, with nothing configured."""
    script = tmp_path / "example.py"
    script.write_text(blocks(ROOT / page, "python")[0])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TRACKER_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    if "quiet" not in script.read_text():
        named = re.findall(r"(?:step|run)\(\"(\w+)\"", script.read_text())
        assert [name for name in named if name not in done.stdout + done.stderr] == []
