"""The README's first five minutes, its commands run as they stand there."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, System

README = (ROOT / "README.md").read_text()
ELSEWHERE = ("dev.py", "export PATH", "redis.internal")
"""What is run by tests of its own, or needs another machine."""

OUTCOMES = {"tracker watch --timeout 1": 124}
"""Exit codes other than 0."""


def commands() -> list[str]:
    """Every command of the README's shell blocks, with its continuation lines."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
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
