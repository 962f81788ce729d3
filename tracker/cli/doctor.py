"""``tracker doctor``: looks at an installation, and says what is right, doubtful and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tracker.cli import exit_codes
from tracker.cli.options import output_options
from tracker.cli.output import Output
from tracker.cli.verb import Verb
from tracker.render.words import clean
from tracker.settings import Settings

if TYPE_CHECKING:
    from tracker.doctor import Case, Finding

WIDE = 60
"""Columns from which findings stand in columns."""

INDENT = 25
"""Columns before what was found, on a wide terminal."""

STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "red"}


@click.command(cls=Verb)
@output_options
def doctor(output: Output) -> int:
    """Say what is wrong with this installation, and what to do.

    Looks at settings, folders, Redis, broker, recorder and workers, and at the way of an event. Shows no password.

    Example:  tracker doctor
    """
    from tracker.doctor import examine

    case = case_of(Settings.from_env())
    findings = examine(case)
    if output.json:
        for finding in findings:
            output.object(finding)
    else:
        _print(case, findings, output)
    return exit_code(findings)


def case_of(settings: Settings) -> Case:
    """What is looked at: the Redis of the settings, else the embedded server of the state folder if it runs."""
    from tracker.doctor import Case
    from tracker.embedded import find_server

    server = None if settings.redis_url else find_server(settings.state_dir)
    return Case(replace(settings, redis_url=server.url) if server else settings)


def exit_code(findings: Sequence[Finding]) -> int:
    """5 without a connection, 1 where something needs a person, else 0: notes and warnings do not fail a script."""
    from tracker.doctor import REACH, Level

    problems = {finding.check for finding in findings if finding.level is Level.PROBLEM}
    if REACH in problems:
        return exit_codes.UNREACHABLE
    return exit_codes.ERROR if problems else exit_codes.COMPLETE


def _print(case: Case, findings: Sequence[Finding], output: Output) -> None:
    from tracker.doctor import shown_settings

    paper = Paper(output)
    shown = shown_settings(case.settings)
    width = max(map(len, shown))
    for name, value in shown.items():
        paper.row(name, value, width + 2, style="dim")
    paper.line()
    for finding in findings:
        paper.finding(finding)
    paper.line()
    paper.line(summary(findings))


def summary(findings: Sequence[Finding]) -> str:
    """How many findings of each level that is more than a note.

    >>> summary([])
    'all is well'
    """
    levels = [finding.level.value for finding in findings]
    counts = {level: levels.count(level) for level in ("problem", "warning")}
    told = [f"{number} {level}{'s' if number > 1 else ''}" for level, number in counts.items() if number]
    return ", ".join(told) or "all is well"


class Paper:
    """Writes in two columns on a wide terminal, in one on a narrow one, and as whole lines into a pipe."""

    def __init__(self, output: Output) -> None:
        symbols = output.symbols()
        self._output = output
        self._console = output.console() if output.terminal else None
        self._marks = {"ok": symbols.mark("complete"), "note": "i", "warning": "!", "problem": symbols.mark("error")}

    def finding(self, finding: Finding) -> None:
        """Symbol, word and name, what was found, and below it why it matters and what to do."""
        level = finding.level.value
        head = f"{self._marks.get(level, '?')} {level:<7}  {finding.check}"
        self.row(head, finding.found, INDENT, style=STYLES.get(level, ""))
        if finding.why:
            self.row("", finding.why, INDENT, quiet=True)
        if finding.remedy:
            self.row("", f"remedy: {finding.remedy}", INDENT)

    def row(self, head: str, body: str, indent: int, *, style: str = "", quiet: bool = False) -> None:
        """``body`` beside ``head``, or below it; what is too long for a line goes on under its own beginning."""
        head, body = clean(head), clean(body)
        if self._console is None:
            self._output.line(f"{head:<{indent}}{body}")
            return
        from rich.text import Text

        if self._console.width < WIDE:
            indent = min(2, self._console.width - 1)
            if head:
                self._console.print(Text(head, style, overflow="ellipsis", no_wrap=True))
                head = ""
        room = self._console.width - indent
        for line in Text(body, "dim" if quiet else "").wrap(self._console, room):
            line.rstrip()
            self._console.print(Text.assemble((f"{head:<{indent}}", style), line))
            head = ""

    def line(self, text: str = "") -> None:
        """One short line."""
        self._output.line(text)
