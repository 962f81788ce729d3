"""Columns fitted to a terminal, as pure functions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tracker.render.table import Cell, Column, table

COLUMNS = (Column("id", 3), Column("title", 5, least=8), Column("count", 1, right=True))


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=6), st.integers(1, 120))
def test_a_table_never_leaves_its_width(rows: list[tuple[str, str, str]], width: int) -> None:
    """Whatever the texts hold: wide, combining, control or right-to-left characters; and each row is one line."""
    lines = table(COLUMNS, rows, width)
    assert len(lines) == (len(rows) + 1 if rows else 0)
    assert all(cell_len(line.plain) <= width for line in lines)
    assert not {"\x1b", "\n", "\r", "\x07"} & set("".join(line.plain for line in lines))


def test_what_matters_least_goes_first() -> None:
    """A text is cut before a column is left out; numbers stand at the right."""
    rows = [("0197", "A title of many words", Cell("7", "red")), ("0198", "Short", "120")]
    plain = [[line.plain for line in table(COLUMNS, rows, width)] for width in (60, 24, 14, 6)]
    assert plain[0][1:] == ["0197  A title of many words      7", "0198  Short                    120"]
    assert plain[1] == ["ID    TITLE        COUNT", "0197  A title of…      7", "0198  Short          120"]
    assert plain[2] == ["ID    TITLE", "0197  A title…", "0198  Short"]
    assert plain[3] == ["TITLE", "A tit…", "Short"]


def test_a_column_of_nothing_is_left_out() -> None:
    """Titles are no use without a text."""
    assert [line.plain for line in table(COLUMNS, [("1", "", "3")], 40)] == ["ID  COUNT", "1       3"]
