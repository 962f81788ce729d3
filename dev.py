#!/usr/bin/env python3
"""Sets this checkout up and runs it: one command each for trying it, running it and testing it.

    python3 dev.py demo [PATH]   process the text files under PATH and watch it happen
    python3 dev.py up            run everything until Ctrl-C: server, worker, web
    python3 dev.py test [ARG…]   style, types and all tests; with arguments only pytest with these
    python3 dev.py lint          style and types
    python3 dev.py bench [NAME…] the benchmarks

The first run makes .venv beside this file (with uv where it is installed, else with pip) and installs
the exact packages of requirements/ into it; later runs start at once and notice when those files
changed. Arguments after demo and up go to the program: dev.py demo --help lists them.

Standard library only, and readable by Python 3.8, so that an old Python can say what is missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator, NoReturn, Sequence

MINIMUM = (3, 11)
NEWER = ("python3.13", "python3.12", "python3.11", "python3", "python")
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "dev-stamp.json"
LAYOUT = "1"
"""Changes whenever this file lays out the environment differently, so that old ones are made anew."""

CHECKS = {
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
}

FRONT_END = ROOT / "requirements" / "front-end"
NODE_TOOLS = VENV / "front-end"
FRONT_END_CHECKS = {
    "tsc": ("tsc", "--project", "web/static/jsconfig.json"),
    "biome": ("biome", "lint", "--error-on-warnings", "--config-path=requirements/front-end", "web/static"),
}


def say(line: str) -> None:
    """One line to stderr: stdout belongs to the program that is run."""
    print(f"dev.py: {line}", file=sys.stderr, flush=True)


def stop(line: str, code: int = 1) -> NoReturn:
    say(line)
    raise SystemExit(code)


# ---- what the machine has ------------------------------------------------------------------------


def require_python(command: str) -> None:
    """End with one line if this Python is too old or not a Unix one."""
    if sys.version_info < MINIMUM:
        found = ".".join(map(str, sys.version_info[:3]))
        newer = newer_python()
        hint = f"run: {newer} dev.py {command}" if newer else "install one and run dev.py with it"
        stop(f"needs Python >= 3.11, this is {found}; {hint}")
    if os.name == "nt":
        stop("needs Linux or macOS; on Windows run it inside WSL")


def newer_python() -> str | None:
    """A usable interpreter on PATH, by name; a name may exist there and still not run."""
    return next((name for name in NEWER if shutil.which(name) and is_new_enough(name)), None)


def is_new_enough(name: str) -> bool:
    test = f"import sys; sys.exit(sys.version_info < {MINIMUM})"
    try:
        done = subprocess.run([name, "-c", test], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def require_pip() -> None:
    """End with one line if this Python cannot make an environment with pip in it."""
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        stop(f"this Python has no {missing[0]} module; on Debian and Ubuntu: apt install python3-venv")


# ---- the environment -----------------------------------------------------------------------------


def requirements(kind: str) -> Path:
    return ROOT / "requirements" / f"{kind}.txt"


def fingerprint(kind: str) -> str:
    """What an environment of this kind is made from; another value means it is out of date."""
    digest = hashlib.sha256(f"{LAYOUT} {sys.version_info[:2]} {VENV}".encode())
    for path in (requirements(kind), ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_stamp() -> dict[str, str]:
    """Fingerprints of the kinds installed; empty if there is no finished environment of this Python."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    version = "{}.{}".format(*sys.version_info)
    usable = isinstance(stamp, dict) and stamp.get("python") == version and PYTHON.exists()
    return stamp if usable else {}


def write_stamp(kind: str) -> None:
    version = "{}.{}".format(*sys.version_info)
    write_whole(STAMP, json.dumps({"python": version, kind: fingerprint(kind)}))


def is_current(kind: str) -> bool:
    """Whether .venv holds what this kind needs; the kind "dev" contains all of "runtime"."""
    stamp = read_stamp()
    return any(stamp.get(held) == fingerprint(held) for held in {kind, "dev"})


def prepare(kind: str) -> None:
    """Make .venv fit for ``kind`` ("runtime" or "dev"); a moment when it already is."""
    if is_current(kind):
        return
    with only_one():
        if not is_current(kind):
            build(kind)


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Hold this checkout's lock; the kernel lets go of it even if this process is killed."""
    import fcntl

    folder = os.open(str(ROOT), os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another dev.py is setting .venv up; waiting for it")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def build(kind: str) -> None:
    """Make or update the environment; the stamp is away meanwhile, so a torn one is recognised."""
    begun = time.monotonic()
    stamp = read_stamp()
    uv = shutil.which("uv")
    if not stamp:
        make_venv(uv)
    STAMP.unlink(missing_ok=True)
    install(kind, uv)
    link_checkout()
    write_stamp(kind)
    say(f"ready after {time.monotonic() - begun:.0f} s")


def make_venv(uv: str | None) -> None:
    """An empty environment in place of whatever is there: an unfinished one, or one of another Python."""
    again = os.path.lexists(str(VENV))
    if not uv:
        require_pip()
    say(("making .venv again" if again else "making .venv") + " with Python {}.{}.{}".format(*sys.version_info))
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
    elif again:
        shutil.rmtree(str(VENV))
    without_pip = ["--without-pip"] if uv else []
    run_or_stop([sys.executable, "-m", "venv", *without_pip, str(VENV)], "could not make .venv")


def install(kind: str, uv: str | None) -> None:
    path = requirements(kind)
    pins = sum("==" in line for line in path.read_text().splitlines())
    say(f"installing up to {pins} packages from {path.relative_to(ROOT)} with {'uv' if uv else 'pip'}")
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input", "--no-compile"]
    command = [uv, "pip", "install", "--quiet", "--python", str(PYTHON)] if uv else pip
    run_or_stop([*command, "--require-hashes", "-r", str(path)], "the packages could not be installed")
    # With all cores; pip would take one, and uv leave it to whoever starts first.
    subprocess.run([str(PYTHON), "-m", "compileall", "-qq", "-j", "0", str(VENV / "lib")])


def run_or_stop(command: Sequence[str], problem: str) -> None:
    if subprocess.run(command, stdout=sys.stderr).returncode:
        stop(f"{problem} (see above); the command was: {' '.join(map(shlex.quote, command))}")


def link_checkout() -> None:
    """Make the checkout importable in .venv, and ``.venv/bin/tracker`` run it."""
    version = "python{}.{}".format(*sys.version_info)
    write_whole(VENV / "lib" / version / "site-packages" / "steptracker-checkout.pth", f"{ROOT}\n")
    script = VENV / "bin" / "tracker"
    write_whole(script, f'#!/bin/sh\nexec {shlex.quote(str(PYTHON))} -P -m tracker "$@"\n')
    script.chmod(0o755)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new one, never a part."""
    draft = path.with_name(path.name + ".new")
    draft.write_text(text)
    os.replace(str(draft), str(path))


# ---- commands ------------------------------------------------------------------------------------


def product(command: str, arguments: Sequence[str]) -> NoReturn:
    """Become ``tracker COMMAND``: its signals and its exit code are this process's own."""
    prepare("runtime")
    # -P: a folder named web/ or workers/ where the user stands must not be taken for ours.
    os.execv(str(PYTHON), [str(PYTHON), "-P", "-m", "tracker", command, *arguments])


def lint() -> list[str]:
    """Run the style and type checks; the names of those that failed."""
    prepare("dev")
    with ThreadPoolExecutor(1) as other:
        front_end = other.submit(lint_front_end)
        return [name for name, command in CHECKS.items() if call(name, command)] + front_end.result()


def lint_front_end() -> list[str]:
    """The same for the modules of the dashboard; their tools come from npm."""
    npm = shutil.which("npm")
    if not npm:
        say("no npm on PATH, so the dashboard's modules go unchecked (with CI=true that is a failure)")
        return ["npm"] if os.environ.get("CI") == "true" else []
    install_node_tools(npm)
    tools = NODE_TOOLS / "node_modules" / ".bin"
    return [name for name, (tool, *rest) in FRONT_END_CHECKS.items() if run(name, [str(tools / tool), *rest])]


def install_node_tools(npm: str) -> None:
    """Make .venv/front-end hold exactly what the lock file says; a moment when it already does."""
    lock = (FRONT_END / "package-lock.json").read_text()
    held = NODE_TOOLS / "package-lock.json"
    if held.exists() and held.read_text() == lock and (NODE_TOOLS / "node_modules").exists():
        return
    shutil.rmtree(str(NODE_TOOLS), ignore_errors=True)
    NODE_TOOLS.mkdir()
    shutil.copy(str(FRONT_END / "package.json"), str(NODE_TOOLS))
    say("installing what checks the dashboard's modules with npm")
    write_whole(held, lock)
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    run_or_stop([npm, "ci", "--prefix", str(NODE_TOOLS), *quiet], "the tools could not be installed")


def test(arguments: Sequence[str]) -> int:
    """Everything, or with arguments only pytest with these; pytest's closing line comes last."""
    failed = [] if arguments else lint()
    prepare("dev")
    # Many wait for processes and sockets, so there are more at a time than cores. Whoever runs out of work takes it
    # from the end of another's, so that tests of one file mostly stay together and start what they share once.
    everything = ("-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal")
    code = call("pytest", ("pytest", *(arguments or everything)))
    return report(failed) or code


def report(failed: Sequence[str]) -> int:
    if failed:
        say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def call(name: str, command: Sequence[str]) -> int:
    """Run one Python tool of .venv in the checkout."""
    return run(name, [str(PYTHON), "-m", *command])


def run(name: str, command: Sequence[str]) -> int:
    """Run a command in the checkout; Ctrl-C is its to answer."""
    say(name)
    # The tests start the program hundreds of times; without its bytecode it would be compiled at each start.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    child = subprocess.Popen(command, cwd=str(ROOT), env=environment)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue


def bench(arguments: Sequence[str]) -> int:
    """Run the benchmarks of these names, or all."""
    found = sorted(path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py"))
    unknown = [name for name in arguments if name not in found]
    if unknown:
        stop(f"there is no benchmark {unknown[0]!r}; there is: {', '.join(found)}", 2)
    prepare("dev")
    return max([call(f"benchmark {name}", (f"benchmarks.{name}",)) for name in arguments or found], default=0)


def lock(arguments: Sequence[str]) -> int:
    """Write requirements/ anew from pyproject.toml; needs uv. With --upgrade to the newest releases."""
    if not shutil.which("uv"):
        stop("lock needs uv on PATH")
    header = '# Exact packages with their hashes. Written by "python3 dev.py lock"; edit pyproject.toml instead.\n'
    for kind, extras in (("runtime", ["server"]), ("dev", ["server", "dev"])):
        path = requirements(kind)
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
        command += ["--no-header", "--no-annotate", *(f"--extra={extra}" for extra in extras), *arguments]
        if kind == "dev":
            command += ["--constraint", "requirements/runtime.txt"]
        command += ["--output-file", str(path.relative_to(ROOT)), "pyproject.toml"]
        if subprocess.run(command, cwd=str(ROOT), stdout=subprocess.DEVNULL).returncode:
            return 1
        write_whole(path, header + path.read_text().replace(header, ""))
    return 0


def main(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(__doc__)
        return 0
    command, rest = arguments[0], arguments[1:]
    if command not in ("demo", "up", "test", "lint", "bench", "lock"):
        stop(f"there is no command {command!r}; python3 dev.py --help lists them", 2)
    require_python(command)
    if command in ("demo", "up"):
        product(command, rest)
    if command == "lint":
        return report(lint())
    return {"test": test, "bench": bench, "lock": lock}[command](rest)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
