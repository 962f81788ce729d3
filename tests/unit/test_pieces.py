"""Lines put together of pieces: never wider than they may be, and as Rich would have drawn them."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from tracker.cli.screen import Paint
from tracker.render.pieces import Line, cells, cut, fitted, padded

pieces = st.lists(
    st.tuples(st.text("aé\u0301漢字オ ", max_size=20), st.sampled_from(["", "dim", "red", "bold cyan"])), max_size=6
)


@given(pieces, st.integers(0, 60))
def test_what_is_cut_or_padded_fits_and_keeps_its_beginning(line: list[tuple[str, str]], width: int) -> None:
    """Wide and combining characters are not cut in two."""
    found = Line(cut(line, width))
    assert found.cell_len <= width
    assert Line(line).plain.startswith(found.plain.removesuffix("…").rstrip(" "))
    assert cells(padded(line, width)) == width


def test_what_is_padded_has_its_width() -> None:
    """So that what follows stands in a column."""
    assert [Line(padded([(text, "")], 5)).plain for text in ("", "abc", "abcdef")] == ["     ", "abc  ", "abcd…"]


@given(pieces, st.sampled_from(["", "bold", "green"]), st.sampled_from(["standard", "256", "truecolor", None]))
def test_a_line_looks_as_rich_draws_it(line: list[tuple[str, str]], style: str, colors: str | None) -> None:
    """Also one that has only the style of the whole, and where there are no colours."""
    console = _console(colors)
    console.print(Line(line, style), end="", soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    assert _shown(Paint(console).line(Line(line, style))) == _shown(console.file.getvalue())


def test_a_text_alone_takes_the_style_of_the_whole() -> None:
    """A warning that is said in a single text stands out."""
    assert Paint(_console("standard")).line(fitted("no answer", 20, "bold yellow")) == "\x1b[1;33mno answer\x1b[0m"


def _console(colors: str | None) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system=colors, width=1_000)  # type: ignore[arg-type]


def _shown(written: str) -> list[tuple[str, str]]:
    """Each character with the codes that it is drawn with."""
    found, codes = list[tuple[str, str]](), ""
    for part in written.replace("\x1b[", "\0\x1b[").split("\0"):
        if part.startswith("\x1b["):
            codes, _, part = part.removeprefix("\x1b[").partition("m")
        found += [(character, codes.removeprefix("0")) for character in part]
    return found


def test_cells_are_those_of_the_terminal() -> None:
    """A wide character takes two."""
    assert cells([("漢", ""), ("a", "")]) == cell_len("漢a") == 3
