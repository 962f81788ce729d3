"""The operations as jobs: their names, their arguments, and that they still are plain functions."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.operations.conftest import Told
from tracker.celery.schema import validate
from tracker.errors import InvalidArguments
from workers.operations import config, files, telemetry

JOBS = {
    "files.process": files.process,
    "config.migrate": config.migrate,
    "telemetry.setup": telemetry.setup,
    "telemetry.teardown": telemetry.teardown,
}


@pytest.mark.parametrize("name", JOBS)
def test_each_job_has_its_public_name(name: str) -> None:
    """The name is what people queue; renaming it breaks them."""
    assert JOBS[name].name == name


def test_a_job_called_directly_runs_here_without_a_broker(data_root: Path, state_dir: Path, told: Told) -> None:
    """Scripts and tests call jobs like any function."""
    (data_root / "a.txt").write_text("one two\n")
    (data_root / "a.yaml").write_text("version: 1\nmodels: [{model_id: acme/large}]\n")

    files.process(path="a.txt")
    config.migrate(path="a.yaml")
    telemetry.teardown()

    assert told.complete == [*files.STEPS, *config.STEPS, telemetry.STOP]
    assert (state_dir / "results" / "default" / "a.txt.json").exists()
    assert yaml.safe_load((data_root / "a.yaml").read_text())["version"] == 2


@pytest.mark.parametrize("name", ["files.process", "config.migrate"])
@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({}, "/args/path"),
        ({"path": 7}, "/args/path"),
        ({"path": ""}, "/args/path"),
        ({"path": "x" * 5000}, "/args/path"),
    ],
)
def test_a_path_that_cannot_be_one_is_refused_before_anything_is_queued(
    name: str, arguments: dict[str, object], pointer: str
) -> None:
    """The schema names the field; an empty, missing or endless path never reaches a worker."""
    with pytest.raises(InvalidArguments) as caught:
        validate(JOBS[name].arguments, arguments, "/args")

    assert caught.value.pointer == pointer


@pytest.mark.parametrize("name", ["telemetry.setup", "telemetry.teardown"])
def test_telemetry_takes_no_arguments(name: str) -> None:
    """Anything given is named as unknown."""
    validate(JOBS[name].arguments, {}, "/args")

    with pytest.raises(InvalidArguments) as caught:
        validate(JOBS[name].arguments, {"path": "a"}, "/args")
    assert caught.value.pointer == "/args/path"
