"""Cuts a stream of bytes into the commands that a client of Redis sends."""

from __future__ import annotations

from dataclasses import dataclass

APPENDS = ("EVALSHA", "EVAL")
"""The commands that write: everything tracker stores goes through its script."""


@dataclass(frozen=True, slots=True)
class Command:
    """One whole command, with the bytes it came in."""

    name: str
    raw: bytes

    @property
    def is_append(self) -> bool:
        return self.name in APPENDS


class RequestScanner:
    """Takes bytes as they arrive and gives each command once its last byte is there."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[Command]:
        self._held += data
        commands = []
        while (command := _first(self._held)) is not None:
            self._held = self._held[len(command.raw) :]
            commands.append(command)
        return commands


class AnyBytes:
    """Takes what is not Redis's protocol, and cuts it nowhere."""

    def feed(self, data: bytes) -> list[Command]:
        return [Command("", data)]


def _first(data: bytes) -> Command | None:
    """The command that ``data`` begins with, ``None`` if its end is not there yet."""
    line, position = _line(data, 0)
    if line is None:
        return None
    if not line.startswith(b"*"):  # An inline command, as people type it.
        return _command(line.split(), data[:position])
    words = []
    for _ in range(int(line[1:])):
        size, position = _line(data, position)
        if size is None:
            return None
        end = position + int(size[1:])
        if len(data) < end + 2:
            return None
        words.append(data[position:end])
        position = end + 2
    return _command(words, data[:position])


def _line(data: bytes, start: int) -> tuple[bytes | None, int]:
    end = data.find(b"\r\n", start)
    return (None, start) if end < 0 else (data[start:end], end + 2)


def _command(words: list[bytes], raw: bytes) -> Command:
    return Command(words[0].decode("latin-1").upper() if words else "", raw)
