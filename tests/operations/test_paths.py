"""Files are opened below the data root and nowhere else."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from workers.operations.paths import (
    LINK_LIMIT,
    FileMissing,
    FileProblem,
    FileUnreadable,
    NotAFile,
    OutsideDataRoot,
    open_inside,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with ``notes/a.txt`` in it, beside a secret."""
    root = tmp_path / "data"
    (root / "notes").mkdir(parents=True)
    (root / "notes" / "a.txt").write_text("inside")
    (tmp_path / "secret.txt").write_text("outside")
    return root


def read(root: Path, path: str) -> str:
    with open_inside(root, path) as found:
        return os.read(found.file, 100).decode()


@pytest.mark.parametrize("path", ["notes/a.txt", "./notes//a.txt", "notes/../notes/a.txt"])
def test_a_file_below_the_root_opens(root: Path, path: str) -> None:
    """Dots and doubled slashes are fine as long as the way stays inside."""
    assert read(root, path) == "inside"


def test_an_absolute_path_below_the_root_opens(root: Path) -> None:
    """What a shell completes to may be queued as it is."""
    assert read(root, f"{root}/notes/a.txt") == "inside"


@pytest.mark.parametrize("path", ["../secret.txt", "notes/../../secret.txt", "/etc/passwd", "../data-2/a.txt"])
def test_a_path_that_leaves_the_root_is_refused(root: Path, path: str) -> None:
    """Neither dots nor an absolute path lead out, whether the target exists or not."""
    with pytest.raises(OutsideDataRoot, match="lies outside the data root"):
        open_inside(root, path)


def test_a_neighbour_whose_name_begins_like_the_root_is_outside(root: Path) -> None:
    """The root's path is compared by whole components."""
    with pytest.raises(OutsideDataRoot):
        open_inside(root, f"{root}-2/a.txt")


@pytest.mark.parametrize("target", ["../../secret.txt", "{outside}/secret.txt"])
def test_a_link_that_leaves_the_root_is_refused(root: Path, target: str) -> None:
    """A symbolic link is followed by hand, so relative and absolute ones are judged alike."""
    (root / "notes" / "link.txt").symlink_to(target.format(outside=root.parent))

    with pytest.raises(OutsideDataRoot):
        open_inside(root, "notes/link.txt")


def test_a_linked_folder_that_leaves_the_root_is_refused(root: Path) -> None:
    """A link in the middle of the path counts as much as one at its end."""
    (root / "out").symlink_to(root.parent)

    with pytest.raises(OutsideDataRoot):
        open_inside(root, "out/secret.txt")


@pytest.mark.parametrize("target", ["a.txt", "../notes/a.txt", "{root}/notes/a.txt"])
def test_a_link_that_stays_inside_opens_with_its_real_place(root: Path, target: str) -> None:
    """The place of the opened file is where it really is."""
    (root / "notes" / "link.txt").symlink_to(target.format(root=root))

    with open_inside(root, "notes/link.txt") as found:
        assert found.place == Path("notes/a.txt")
        assert os.read(found.file, 100) == b"inside"


def test_dots_after_a_linked_folder_are_taken_from_where_it_really_is(root: Path) -> None:
    """``deep/..`` is the parent of the folder that the link leads to, as for the kernel."""
    (root / "notes" / "deep").mkdir()
    (root / "deep").symlink_to("notes/deep")

    assert read(root, "deep/../a.txt") == "inside"


def test_links_in_a_circle_end(root: Path) -> None:
    """A circle of links is refused after a bounded number of steps."""
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")

    with pytest.raises(FileMissing, match=f"more than {LINK_LIMIT} symbolic links"):
        open_inside(root, "one")


def test_a_root_that_is_itself_a_link_works(root: Path) -> None:
    """Only what lies below the root is judged; the root is the operator's choice."""
    (root.parent / "alias").symlink_to(root)

    assert read(root.parent / "alias", "notes/a.txt") == "inside"
    assert read(root.parent / "alias", f"{root.parent}/alias/notes/a.txt") == "inside"


@pytest.mark.parametrize("path", ["gone.txt", "gone/a.txt", "notes/a.txt/more", "notes/a.txt/"])
def test_a_missing_file_says_so(root: Path, path: str) -> None:
    """The message repeats the path and says what to do."""
    with pytest.raises(FileMissing, match=r"does not exist in the data root; check the path"):
        open_inside(root, path)


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 300, "x/" * 5000, "\ud800.txt", "line\nbreak\x1b[31m"])
def test_a_name_that_no_file_can_have_gives_one_bounded_line(root: Path, path: str) -> None:
    """Hostile names end as a short, printable message."""
    with pytest.raises(FileProblem) as caught:
        open_inside(root, path)

    assert f"{caught.value}".isprintable()
    assert len(f"{caught.value}") < 400


def test_a_missing_root_names_the_setting(tmp_path: Path) -> None:
    """Whoever set it wrong learns which variable it was."""
    with pytest.raises(FileMissing, match="TRACKER_DATA_ROOT"):
        open_inside(tmp_path / "nowhere", "a.txt")


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{path}")


@pytest.mark.parametrize("make", [make_fifo, make_socket, Path.mkdir])
def test_only_regular_files_open(root: Path, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A FIFO does not block, a socket and a folder are named for what they are."""
    monkeypatch.chdir(root)
    make(Path("odd"))

    with pytest.raises(NotAFile):
        open_inside(root, "odd")


def test_a_device_is_refused(root: Path) -> None:
    """Devices are never opened; opening some of them has effects."""
    with pytest.raises(NotAFile):
        open_inside(Path("/dev"), "null")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(root: Path) -> None:
    """The reason of the system is repeated."""
    (root / "notes" / "a.txt").chmod(0)

    with pytest.raises(FileUnreadable, match="Permission denied"):
        open_inside(root, "notes/a.txt")


def after_the_look(monkeypatch: pytest.MonkeyPatch, name: str, swap: Callable[[], None]) -> None:
    """Run ``swap`` right after the walk has looked at ``name`` and before it opens it."""
    look = os.stat

    def look_then_swap(path: str, **options: object) -> os.stat_result:
        found = look(path, **options)  # type: ignore[arg-type]
        if path == name and not Path(path).is_absolute():
            swap()
        return found

    monkeypatch.setattr("workers.operations.paths.os.stat", look_then_swap)


def test_a_file_swapped_for_a_link_while_it_is_opened_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the opening, the file becomes a link to a secret; nothing of the secret is read."""
    file = root / "notes" / "a.txt"

    def swap() -> None:
        file.unlink()
        file.symlink_to(root.parent / "secret.txt")

    after_the_look(monkeypatch, "a.txt", swap)
    with pytest.raises(OutsideDataRoot, match="replaced by a symbolic link"):
        open_inside(root, "notes/a.txt")


def test_a_folder_swapped_for_a_link_while_it_is_entered_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the opening, a folder on the way becomes a link out of the root."""
    (root.parent / "a.txt").write_text("outside")

    def swap() -> None:
        (root / "notes").rename(root / "moved")
        (root / "notes").symlink_to(root.parent)

    after_the_look(monkeypatch, "notes", swap)
    with pytest.raises(FileProblem):
        open_inside(root, "notes/a.txt")


def test_a_file_swapped_for_a_fifo_while_it_is_opened_does_not_block(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody writes to the FIFO; without care the opening would wait for ever."""
    file = root / "notes" / "a.txt"

    def swap() -> None:
        file.unlink()
        os.mkfifo(file)

    after_the_look(monkeypatch, "a.txt", swap)
    with pytest.raises(NotAFile):
        open_inside(root, "notes/a.txt")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to count descriptors")
@pytest.mark.parametrize("path", ["notes/a.txt", "gone.txt", "../secret.txt", "notes", "odd", "out/secret.txt", "a\0b"])
def test_no_descriptor_stays_open(root: Path, path: str) -> None:
    """Whatever the outcome, everything opened on the way is closed."""
    os.mkfifo(root / "odd")
    (root / "out").symlink_to(root.parent)
    before = len(os.listdir("/proc/self/fd"))

    with suppress(FileProblem), open_inside(root, path):
        pass

    assert len(os.listdir("/proc/self/fd")) == before
