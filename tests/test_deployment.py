"""The deployment files say what is true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def dockerfile_lines(instruction: str) -> list[str]:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    return [line.removeprefix(instruction).strip() for line in lines if line.startswith(instruction)]


def test_the_procfile_is_valid() -> None:
    """honcho reads it and finds both processes."""
    done = run("honcho", "check")
    assert done.returncode == 0
    assert "(web, worker)" in done.stdout + done.stderr


@pytest.mark.parametrize("line", (ROOT / "Procfile").read_text().splitlines())
def test_every_procfile_command_exists(line: str) -> None:
    """Each starts the installed command with a verb it knows."""
    _, program, verb = line.split()
    assert program == "tracker"
    done = run("tracker", verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_compose_file_fits_the_compose_schema(tmp_path: Path) -> None:
    """Checked against the specification's own schema, without a network."""
    done = run("check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    assert done.returncode == 0, done.stdout
    misspelt = tmp_path / "docker-compose.yml"
    misspelt.write_text((ROOT / "docker-compose.yml").read_text().replace("healthcheck:", "healthchek:"))
    assert run("check_jsonschema", "--builtin-schema", "vendor.compose-spec", misspelt).returncode == 1


def test_compose_keeps_redis_inside_and_its_data_safe(services: dict[str, Any]) -> None:
    """No port of Redis is published; it writes to a volume and evicts nothing."""
    redis = services["redis"]
    assert "ports" not in redis
    assert "--appendonly yes" in redis["command"]
    assert "--maxmemory-policy noeviction" in redis["command"]
    assert redis["volumes"] == ["redis:/data"]
    assert redis["healthcheck"]["test"][0] == "CMD"


def test_compose_runs_two_workers_and_publishes_on_loopback_only(services: dict[str, Any]) -> None:
    """The one published port is reachable from this machine alone."""
    assert services["worker"]["deploy"]["replicas"] == 2
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:8420:8421"]


def test_every_command_in_compose_exists(services: dict[str, Any]) -> None:
    """A service that cannot start would be worse than none."""
    ours = [service["command"] for service in services.values() if service.get("image") == "steptracker"]
    assert sorted(ours) == ["recorder", "web", "worker"]
    for verb in ours:
        assert run("tracker", verb, "--help").returncode == 0


def test_the_image_is_made_of_the_wheel_and_runs_without_rights() -> None:
    """Two stages: the second holds the hashed packages and the wheel, and runs as a user of its own."""
    assert len(dockerfile_lines("FROM")) == 2
    installs = [line for line in dockerfile_lines("RUN") if line.startswith("pip install")]
    assert any("--require-hashes" in line for line in installs)
    assert any("*.whl" in line for line in installs)
    assert dockerfile_lines("USER") == ["tracker"]
    assert dockerfile_lines("ENTRYPOINT") == ['["tracker"]']


def test_everything_the_image_copies_exists_and_is_all_the_wheel_needs() -> None:
    """The build stage has each package of the wheel and each file its metadata names."""
    copied = {word for line in dockerfile_lines("COPY") if "--from" not in line for word in line.split()[:-1]}
    assert [name for name in copied if not (ROOT / name).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert copied >= {*project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], "pyproject.toml", "LICENSE"}


def test_the_image_has_a_python_the_project_supports() -> None:
    """Both stages use the same one, so the wheel built in the first runs in the second."""
    versions = {found[1] for line in dockerfile_lines("FROM") if (found := re.match(r"python:(3\.\d+)-slim", line))}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert len(versions) == 1
    assert f"Programming Language :: Python :: {versions.pop()}" in project["classifiers"]


def test_ci_calls_the_one_command() -> None:
    """What runs there is what a person runs here."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "python3 dev.py test" in script.read_text()
    assert subprocess.run(["bash", "-n", script]).returncode == 0
