"""Runs one command: turns every expected error into one line on stderr and an exit code.

Owns what the whole command line has in common at its edges: errors, Ctrl-C, signals, output that is not taken. Must
not know any verb.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import click

from tracker.cli import exit_codes
from tracker.errors import TrackerError
from tracker.render.words import clean

ENDING = (signal.SIGTERM, signal.SIGHUP)
CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class Signalled(BaseException):
    """SIGTERM or SIGHUP arrived; unwinds the command so that the terminal is put back."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run(argv: Sequence[str] | None) -> int:
    """Run the command line ``argv`` (default: the process's own) and return the exit code."""
    with _unwinding_on_signals():
        code = _run(argv)
        _drop_unwritten()
        return code


def _run(argv: Sequence[str] | None) -> int:
    from tracker.cli.commands import tracker

    try:
        arguments = None if argv is None else list(argv)
        code = _exit_code(tracker.main(args=arguments, standalone_mode=False, prog_name="tracker"))
        sys.stdout.flush()
        return code
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as lost:
        click.echo(lost.message)
        return lost.exit_code
    except click.UsageError as error:
        return _usage(error)
    except click.ClickException as error:
        return fail(error.format_message(), exit_codes.USAGE)
    except TrackerError as error:
        return fail(str(error), exit_codes.of_error(error))
    except OSError as error:
        if error.errno == errno.EPIPE:
            return exit_codes.ERROR
        if error.errno not in CANNOT_WRITE:
            raise
        return fail(f"the output could not be written: {error.strerror}", exit_codes.ERROR)
    except (KeyboardInterrupt, click.Abort):
        return exit_codes.INTERRUPTED
    except Signalled as signalled:
        return exit_codes.SIGNALLED + signalled.number


def _drop_unwritten() -> None:
    """What a terminal that has gone, or a full disk, did not take, Python would try to write again as its last act.

    It would then end with a code of its own instead of the command's.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def fail(message: str, code: int) -> int:
    """Write the one line that an error gets, and return its exit code."""
    print(f"tracker: {clean(message)}", file=sys.stderr, flush=True)
    return code


def _exit_code(returned: object) -> int:
    return returned if isinstance(returned, int) else exit_codes.COMPLETE


def _usage(error: click.UsageError) -> int:
    path = error.ctx.command_path if error.ctx is not None else "tracker"
    message = error.format_message().rstrip(".")
    # After a question, or one in brackets, a new sentence begins.
    joint = " See" if message.endswith(("?", "?)")) else "; see"
    return fail(f"{message}{joint} `{path} --help`", exit_codes.USAGE)


@contextmanager
def _unwinding_on_signals() -> Iterator[None]:
    """Raise `Signalled` for what would end the process; handlers of the caller's own stay."""

    def unwind(number: int, frame: FrameType | None) -> None:
        raise Signalled(number)

    ours = [number for number in ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, unwind)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
