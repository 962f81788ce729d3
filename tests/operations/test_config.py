"""``config.migrate`` on real files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.operations.conftest import Told
from workers.operations import config, config_schema
from workers.operations.config import STEPS, migrate_config
from workers.operations.config_schema import AlreadyMigrated, ConfigError
from workers.operations.paths import FileMissing, FileTooLarge, OutsideDataRoot

EXAMPLES = Path(__file__).parents[2] / "examples" / "configs"


def place(data_root: Path, content: Any, name: str = "service.yaml") -> Path:
    """A configuration file with this content (bytes as they are, data as YAML)."""
    path = data_root / name
    path.write_bytes(content if isinstance(content, bytes) else yaml.safe_dump(content).encode())
    return path


def backups(path: Path) -> list[bytes]:
    return [found.read_bytes() for found in path.parent.glob(f"{path.name}.*.bak")]


def v1(**changes: Any) -> dict[str, Any]:
    """A small valid v1 configuration with these fields changed."""
    return {"version": 1, "models": [{"model_id": "acme/large", "max_tokens": 100}]} | changes


def test_the_yaml_example_is_migrated(data_root: Path, told: Told) -> None:
    """All five steps complete; the file is v2, the backup is the old file byte for byte."""
    path = data_root / "service-v1.yaml"
    shutil.copy(EXAMPLES / "service-v1.yaml", path)
    old = path.read_bytes()

    migrate_config("service-v1.yaml")

    assert told.complete == list(STEPS)
    assert backups(path) == [old]
    assert yaml.safe_load(path.read_text()) == {
        "version": 2,
        "service": {"log_level": "info", "request_timeout": 30.0},
        "telemetry": {"enabled": True, "endpoint": "http://localhost:4318/v1/traces"},
        "defaults": {"model": "acme/large"},
        "models": {
            "acme/large": {
                "provider": "acme",
                "name": "large",
                "parameters": {"max_tokens": 8192, "temperature": 0.2},
                "credentials": {"env": "ACME_API_KEY"},
            },
            "acme/small": {
                "provider": "acme",
                "name": "small",
                "parameters": {"max_tokens": 2048},
                "credentials": {"env": "ACME_API_KEY"},
            },
            "local/tiny": {"provider": "local", "name": "tiny", "parameters": {"max_tokens": 512}},
        },
    }


def test_the_json_example_is_migrated(data_root: Path) -> None:
    """A JSON file stays JSON, and its default model is found by its bare name."""
    path = data_root / "service-v1.json"
    shutil.copy(EXAMPLES / "service-v1.json", path)

    migrate_config("service-v1.json")

    new = json.loads(path.read_text())
    assert list(new) == ["version", "service", "telemetry", "defaults", "models"]
    assert new["defaults"] == {"model": "local/tiny"}


def test_an_invalid_model_id_fails_at_step_3_of_5(data_root: Path, told: Told) -> None:
    """The backup is in place, the original untouched, and nothing else lies in the folder."""
    path = data_root / "service.yaml"
    shutil.copy(EXAMPLES / "service-v1-invalid-model-id.yaml", path)
    old = path.read_bytes()

    with pytest.raises(ConfigError, match=r"^Invalid field 'model_id' in configuration schema: models\[1\].model_id"):
        migrate_config("service.yaml")

    assert (told.complete, told.failed) == (list(STEPS[:2]), [STEPS[2]])
    assert (path.read_bytes(), backups(path)) == (old, [old])
    assert len(list(data_root.iterdir())) == 2


@pytest.mark.parametrize("model_id", ["large", "/large", "acme/", "acme/lar ge", 7, ["acme/large"], {"a": "b"}, True])
def test_a_model_id_of_another_form_cannot_be_transformed(data_root: Path, told: Told, model_id: Any) -> None:
    """Version 1 took anything; version 2 needs PROVIDER/NAME."""
    place(data_root, v1(models=[{"model_id": model_id}]))

    with pytest.raises(ConfigError, match="Invalid field 'model_id' in configuration schema"):
        migrate_config("service.yaml")

    assert told.failed == [STEPS[2]]


@pytest.mark.parametrize("twin", [{"model_id": "acme/large"}, {"provider": "acme", "name": "large"}])
def test_a_model_that_is_there_twice_cannot_be_transformed(data_root: Path, told: Told, twin: Any) -> None:
    """In version 2 models are known by their id, so two of one id would be one."""
    place(data_root, v1(models=[{"model_id": "acme/large"}, twin]))

    with pytest.raises(ConfigError, match=r"configuration schema: models\[1\]\.\w+: 'acme/large' is there twice"):
        migrate_config("service.yaml")

    assert told.failed == [STEPS[2]]


@pytest.mark.parametrize(
    ("default", "reason"), [("acme/other", "is not one of the models"), ("large", "fits more than one model")]
)
def test_a_default_model_must_lead_to_one_model(data_root: Path, told: Told, default: str, reason: str) -> None:
    """A name that leads nowhere or to two models is named, not guessed."""
    place(data_root, v1(models=[{"model_id": "acme/large"}, {"model_id": "b/large"}], default_model=default))

    with pytest.raises(ConfigError, match=f"Invalid field 'default_model' in configuration schema: .*{reason}"):
        migrate_config("service.yaml")

    assert told.failed == [STEPS[2]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (v1(version=3), "Invalid field 'version'"),
        (v1(version=True), "Invalid field 'version'"),
        ([1, 2], "Invalid field 'version'"),
        (b"", "Invalid field 'version'"),
        (v1(models=[]), "`models`"),
        (v1(models=[{"model_id": "a/b", "max_tokens": "many"}]), r"`models\[0\].max_tokens`"),
        (v1(models=[{"model_id": "a/b", "max_tokens": 0}]), r"`models\[0\].max_tokens`"),
        (v1(models=[{"model_id": "a/b", "name": "b"}]), r"models\[0\] must have either"),
        (v1(models=[{}]), r"models\[0\] must have either"),
        (v1(models=[{"model_id": "a/b", "api_key": "s3cret"}]), "unknown field `api_key`"),
        (v1(log_level="loud"), "`log_level`"),
        (v1(extra=1), "unknown field `extra`"),
        (b"version: 1\nversion: 2\n", "the key 'version' is there twice in line 2, column 1"),
        (b"version: [1\n", "not valid YAML: .* in line 2"),
        (b"version: !!python/object/apply:os.getcwd []\n", "not valid YAML: could not determine a constructor"),
        (b"version: !!bool maybe\n", "not valid YAML"),
        (b"--- 1\n--- 2\n", "not valid YAML"),
        (b"version: 1\nname: \xff\n", "not UTF-8 text: invalid start byte at byte 17"),
        (b"[" * 20_000, "nested too deeply"),
    ],
)
def test_an_invalid_old_configuration_fails_at_step_2(data_root: Path, told: Told, content: Any, message: str) -> None:
    """The message is one line that names the field or the place, and never a value that may be a secret."""
    path = place(data_root, content)
    old = path.read_bytes()

    with pytest.raises(ConfigError, match=message) as caught:
        migrate_config("service.yaml")

    assert told.failed == [STEPS[1]]
    assert f"{caught.value}".isprintable()
    assert "s3cret" not in f"{caught.value}"
    assert (path.read_bytes(), backups(path)) == (old, [old])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"version": 1, "version": 1}', "the key 'version' is there twice"),
        (b'{"version": NaN}', "NaN is not a JSON number"),
        (b'{"version": 1', "in line 1, column 14"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_invalid_json_fails_at_step_2(data_root: Path, told: Told, content: bytes, message: str) -> None:
    """What other readers would let through silently is refused."""
    place(data_root, content, "service.json")

    with pytest.raises(ConfigError, match=message):
        migrate_config("service.json")

    assert told.failed == [STEPS[1]]


@pytest.mark.parametrize("entry", ["*a", "<<: [*a, *a]"])
def test_a_small_file_that_unfolds_into_a_huge_one_is_refused_quickly(data_root: Path, entry: str) -> None:
    """Aliases within aliases neither fill the memory nor the message."""
    merge = entry.startswith("<<")
    lines = ["a0: &a0 {x0: 1, y0: 2}"]
    for level in range(1, 40):
        twice = f"*a{level - 1}, *a{level - 1}"
        lines.append(f"a{level}: &a{level} " + (f"{{<<: [{twice}], x{level}: 1}}" if merge else f"[{twice}]"))
    place(data_root, "\n".join([*lines, "version: *a39", ""]).encode())

    with pytest.raises(ConfigError) as caught:
        migrate_config("service.yaml")

    assert len(f"{caught.value}") < 500


def test_a_migrated_configuration_is_not_migrated_again(data_root: Path, told: Told) -> None:
    """The second time fails at the validation of the old configuration and says why."""
    path = place(data_root, v1())
    migrate_config("service.yaml")
    new = path.read_bytes()

    with pytest.raises(AlreadyMigrated, match="already has version 2"):
        migrate_config("service.yaml")

    assert told.failed == [STEPS[1]]
    assert path.read_bytes() == new


def test_an_unknown_suffix_is_named(data_root: Path) -> None:
    """What is neither YAML nor JSON by its name is not guessed at."""
    place(data_root, v1(), "service.toml")

    with pytest.raises(ConfigError, match=r"'\.toml' is not known"):
        migrate_config("service.toml")


@pytest.mark.parametrize(("path", "problem"), [("gone.yaml", FileMissing), ("../service.yaml", OutsideDataRoot)])
def test_a_file_that_cannot_be_opened_fails_at_the_backup(
    data_root: Path, told: Told, path: str, problem: type[Exception]
) -> None:
    """Missing or outside the data root: nothing is written anywhere."""
    place(data_root.parent, v1())

    with pytest.raises(problem):
        migrate_config(path)

    assert told.failed == [STEPS[0]]
    assert list(data_root.iterdir()) == []


def test_a_file_too_large_for_a_configuration_is_refused(data_root: Path, told: Told) -> None:
    """No backup is made of it."""
    path = place(data_root, b"#" * (config.SIZE_LIMIT + 1))

    with pytest.raises(FileTooLarge):
        migrate_config("service.yaml")

    assert told.failed == [STEPS[0]]
    assert backups(path) == []


def test_mode_and_owner_stay(data_root: Path) -> None:
    """A private file stays private, a shared one shared; so does the backup."""
    path = place(data_root, v1())
    path.chmod(0o640)

    migrate_config("service.yaml")

    assert {found.stat().st_mode & 0o777 for found in data_root.iterdir()} == {0o640}


def test_a_linked_file_is_replaced_where_it_really_is(data_root: Path) -> None:
    """The link stays a link, and the backup lies beside the real file."""
    (data_root / "real").mkdir()
    path = place(data_root / "real", v1())
    (data_root / "service.yaml").symlink_to("real/service.yaml")

    migrate_config("service.yaml")

    assert (data_root / "service.yaml").is_symlink()
    assert yaml.safe_load(path.read_text())["version"] == 2
    assert len(backups(path)) == 1


@pytest.mark.parametrize("change", ["edit", "replace", "delete"])
def test_a_file_changed_meanwhile_is_not_overwritten(
    data_root: Path, told: Told, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Somebody else's edit between reading and writing wins, and the operation says so."""
    path = place(data_root, v1())
    validate = config_schema.validate_v2

    def change_then_validate(data: Any) -> object:
        if change == "edit":
            path.write_bytes(b"edited")
        else:
            path.unlink()
        if change == "replace":
            path.write_bytes(b"edited")
        return validate(data)

    monkeypatch.setattr(config, "validate_v2", change_then_validate)
    with pytest.raises(ConfigError, match="was changed while it was migrated"):
        migrate_config("service.yaml")

    assert told.failed == [STEPS[4]]
    assert path.exists() == (change != "delete")
    assert change == "delete" or path.read_bytes() == b"edited"
    assert [name for name in os.listdir(data_root) if name.startswith(".")] == []


def test_a_new_configuration_that_is_not_valid_fails_at_step_4(
    data_root: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would be written is checked as text; a fault in the transformation does not reach the file."""
    path = place(data_root, v1())
    old = path.read_bytes()
    transform = config_schema.transform
    monkeypatch.setattr(config, "transform", lambda old: transform(old) | {"defaults": {"model": "acme/gone"}})

    with pytest.raises(ConfigError, match=r"new configuration is not valid: defaults\.model is not one of the models"):
        migrate_config("service.yaml")

    assert told.failed == [STEPS[3]]
    assert path.read_bytes() == old
