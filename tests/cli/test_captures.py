"""What the watcher looks like at every size; with ``PICTURES=folder`` each screen is kept there as an SVG picture."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.cli.commands import Command
from tests.cli.conftest import Run
from tests.cli.svg import keep
from tests.store.making import NOW, batch_of, blob, ended, head, started, step_event
from tests.support import wait_for
from tracker.model import Error, Status, StepStatus, Worker
from tracker.store import Store

SIZES = [(80, 24), (120, 40), (40, 12), (20, 8)]
HOSTILE = "\x1b[31mred\x1b]0;title\x07 \u202eright オーダー é e\u0301 " + "long " * 60


@pytest.fixture
def everything(store: Store) -> None:
    """A batch with a failed child, what runs, what failed, and texts that mean ill."""
    ids = batch_of(store, 40)
    store.append([started(id, parent="b") for id in ids[:6]])
    store.append([ended(id, parent="b") for id in ids[:3]])
    why = Error("NotText", "it is not UTF-8", path=["Import", "Check"])
    store.append([blob(ids[3], head("r1", Status.ERROR, error=why), seq=2, type="operation.complete", parent="b")])
    worker = Worker("node-3.example.org", 4711, "celery")
    part = replace(head("r1"), title="Import tenants", created=NOW + 5, worker=worker)
    store.append([blob("a", part), step_event("a", 2, 1, StepStatus.COMPLETE), step_event("a", 3, 2)])
    store.append([blob("h", replace(head("r1"), title=HOSTILE, created=NOW + 6))])
    store.append([blob("f", replace(head("r1", Status.ERROR, error=Error("E", HOSTILE)), title="Broken"))])


@pytest.mark.parametrize(
    ("name", "arguments", "keys", "sees"),
    [
        ("list", (), "", "◐"),
        ("list-open", (), "GG ", "›"),
        ("help", (), "?", "move"),
        ("operation", ("a",), "l", "no log"),
        ("batch", ("b",), "", "✗"),
        ("hostile", ("h",), "", "◐"),
    ],
)
def test_every_screen_fits_its_terminal(
    tracker: Run, everything: None, name: str, arguments: tuple[str, ...], keys: str, sees: str
) -> None:
    """Nothing wraps, nothing hostile gets through, and what it is about is in sight whatever the window's size is."""
    command = tracker("watch", *arguments, terminal=SIZES[0])
    command.displays("as of")
    command.displays("◐")
    wait_for(lambda: not command.echoes())
    command.press(keys)
    for size in SIZES:
        if size != SIZES[0]:
            command.resize(*size)
        command.displays(sees)
        keep(command.emulator(), f"{name}-{size[0]}x{size[1]}")
        assert command.out.rsplit("\x1b[?2026h", 1)[-1].count("\n") < size[1]
    assert_harmless(command)


@pytest.mark.parametrize("size", [SIZES[0], SIZES[-1]])
def test_what_is_over_is_told_whole(tracker: Run, everything: None, size: tuple[int, int]) -> None:
    """However much that is: it is left at once, and can be scrolled."""
    command = tracker("watch", "f", terminal=size)
    assert command.code() == 0
    keep(command.emulator(), f"failed-{size[0]}x{size[1]}")
    assert command.text.count("long") >= 60
    assert_harmless(command)


def assert_harmless(command: Command) -> None:
    """What names and messages hold moves no cursor, sets no title and turns no text around."""
    assert "\x1b]" not in command.out
    assert "\u202e" not in command.out


def test_nothing_to_see_is_said(tracker: Run, store: Store) -> None:
    """An empty list is a sentence and not an empty screen."""
    command = tracker("watch", terminal=(80, 24))
    command.displays("nothing runs now")
    keep(command.emulator(), "empty-80x24")
