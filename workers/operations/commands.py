"""Running another program with a time limit, and telling in one line why it failed.

Owns what a child process may see of this one's environment and how much of its output may appear in an error.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence

TOLD_LIMIT = 500
"""Longest excerpt of a program's output in an error, in characters."""

_userinfo = re.compile(r"(?<=://)[^/@\s]+@")


class CommandFailed(Exception):
    """A program failed or took too long; the message is one line and has no credentials in it."""


def run_command(
    what: str,
    args: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> str:
    """Run a program to its end (at most ``timeout`` seconds) and return what it printed.

    ``what`` names it in the error: "Installing x" gives "Installing x failed: …". ``env`` comes on top of
    ``clean_env()``.
    """
    try:
        done = subprocess.run(
            args,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env=clean_env() | dict(env or {}),
            pass_fds=pass_fds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{what} took longer than {timeout:g} s and was stopped; try again") from error
    except OSError as error:
        raise CommandFailed(f"{what} could not be started: {error.strerror}") from error
    if done.returncode:
        raise CommandFailed(f"{what} failed: {told(done.stderr or done.stdout) or f'exit code {done.returncode}'}")
    return done.stdout.decode(errors="replace")


def clean_env() -> dict[str, str]:
    """This process's environment without the tracker's settings, which may hold passwords, and without Python's own."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "PYTHON"))}


def told(output: bytes) -> str:
    """The last line of a program's output that says something, bounded, URLs without user and password.

    >>> told(b"Looking\\nERROR: https://me:secret@host/ refused\\n\\n")
    'ERROR: https://host/ refused'
    """
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    # Errors often come before advice: prefer the last line that calls itself one.
    errors = [line for line in lines if "error" in line.lower()]
    last = (errors or lines or [""])[-1]
    return _userinfo.sub("", last)[:TOLD_LIMIT]
