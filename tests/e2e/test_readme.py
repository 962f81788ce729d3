"""The README's first five minutes, its commands run as they stand there."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, System
from tests.support import free_port, wait_for

README = (ROOT / "README.md").read_text()
ELSEWHERE = ("dev.py", "export PATH", "redis.internal", "TRACKER_TOKENS_FILE", "tracker token", "tracker web")
"""What is run by tests of its own, or needs another machine."""

OUTCOMES = {"tracker watch --timeout 1": 124}
"""Exit codes other than 0."""


BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """Every command of the README's shell blocks, with its continuation lines."""
    lines = "\n".join(BLOCKS).replace("\\\n", " ").splitlines()
    kept = [" ".join(line.split()) for line in lines if not any(word in line for word in ELSEWHERE)]
    return [line.replace("--timeout 20", "--timeout 1") for line in kept if line]


@pytest.fixture(scope="module")
def shell(system: System, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `tracker` is the command, and jobs read the files the README names."""
    for module in ("abc", "ast"):
        shutil.copy(Path(ast.__file__).with_name(f"{module}.py"), system.data_root)
    program = tmp_path_factory.mktemp("bin") / "tracker"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m tracker "$@"\n')
    program.chmod(0o755)
    return system.environment | {"PATH": f"{program.parent}:{system.environment['PATH']}"}


def test_the_readme_has_commands() -> None:
    """The pattern that finds them still fits."""
    assert len(commands()) == 6
    assert any(line.startswith("curl") for line in commands())


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_works(system: System, shell: dict[str, str], command: str) -> None:
    """As typed, but for the port and the patience."""
    if command.startswith("curl") and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    typed = command.replace("127.0.0.1:8420", system.bind)
    done = subprocess.run(
        ["bash", "-c", typed], env=shell, cwd=system.folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == OUTCOMES.get(command, 0), done.stderr
    if "batches" in command:
        assert '"batch":true' in done.stdout
    if "--wait" in command:
        assert "2 complete, 1 error" in done.stdout


def test_the_tokens_of_the_readme_let_in_who_has_one(shell: dict[str, str], tmp_path: Path) -> None:
    """As typed, but for the port; what is printed is what the API wants."""
    (block,) = [block for block in BLOCKS if "tracker token" in block]
    bind = f"0.0.0.0:{free_port()}"
    typed = block.replace("0.0.0.0:8420", bind).replace("tracker web", "exec tracker web")
    process = subprocess.Popen(
        ["bash", "-ec", typed], env=shell | {"HOME": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        token = process.stdout.readline().strip()
        assert wait_for(lambda: answer_of(bind)) == 401
        assert answer_of(bind, f"Bearer {token}") == 200
    finally:
        process.terminate()
        process.communicate(timeout=20)


def answer_of(bind: str, authorization: str = "") -> int:
    """The status with which the list of operations is answered; 0 while nobody listens."""
    address = f"http://{bind.replace('0.0.0.0', '127.0.0.1')}/api/v1/operations"
    request = urllib.request.Request(address, headers={"Authorization": authorization} if authorization else {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
