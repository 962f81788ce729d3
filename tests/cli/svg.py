"""A terminal's screen as an SVG picture, drawn by Rich: captures for people who want to look."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

NAMES = {"brown": "yellow", "default": None}
"""Colours that pyte calls otherwise than Rich does."""


def picture(emulator: pyte.Screen, title: str) -> str:
    """The screen as it is now, down to its last line with something on it."""
    console = Console(record=True, width=emulator.columns, file=io.StringIO(), force_terminal=True)
    drawn = [y for y, line in enumerate(emulator.display) if line.strip()]
    for y in range(max(drawn, default=0) + 1):
        console.print(_line(emulator, y), no_wrap=True, crop=True, soft_wrap=False)
    # It names fonts somewhere on the network, which a picture of ours does not ask for.
    return re.sub(r"@font-face \{[^}]*\}\s*", "", console.export_svg(title=title, theme=SVG_EXPORT_THEME))


def _line(emulator: pyte.Screen, y: int) -> Text:
    text = Text()
    for x in range(emulator.columns):
        cell = emulator.buffer[y][x]
        text.append(cell.data, Style(color=_color(cell.fg), bold=cell.bold, reverse=cell.reverse))
    text.rstrip()
    return text


def _color(name: str) -> str | None:
    if name in NAMES:
        return NAMES[name]
    return f"#{name}" if len(name) == 6 and all(digit in "0123456789abcdef" for digit in name) else name


def keep(emulator: pyte.Screen, name: str) -> None:
    """Write the picture to the folder that ``PICTURES`` names, if it does."""
    folder = os.environ.get("PICTURES")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, f"{name}.svg").write_text(picture(emulator, f"tracker {name}"))
