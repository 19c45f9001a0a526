"""The JSON output of every command matches the tables of `docs/reference/json.md`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from packagex_async.cli import main
from packagex_async.testing import Emulator, Life, Status
from tests.cli.support import AdvanceClock, Cli, Clock, add_small_export

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "json.md"
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list,),
    "null": (type(None),),
}  # fmt: skip

Schema = dict[str, str]


def read_schemas() -> dict[tuple[str, str | None], Schema]:
    """Return the types of the fields of each event. The key is the event, and the command if it is named."""
    schemas: dict[tuple[str, str | None], Schema] = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        events, _, command = title.partition(" of ")
        fields = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", body, re.MULTILINE))
        for event in re.findall(r"`(\w+)`", events):
            schemas[event, command.strip("`") or None] = fields
    return schemas


def check(record: dict[str, Any], command: str) -> str:
    """Check the names and the types of all fields, and return the event."""
    assert record.pop("schema_version") == 1
    event: str = record.pop("event")
    schemas = read_schemas()
    schema = schemas.get((event, command)) or schemas[event, None]
    optional = {name for name, kind in schema.items() if f"not in `{command}`" in kind}
    assert set(record) == set(schema) - optional
    for name, value in record.items():
        kinds = schema[name].split(",")[0].split(" or ")
        assert type(value) in [kind for name_of_kind in kinds for kind in TYPES[name_of_kind]], (event, name)
    return event


@pytest.fixture
def run(cli: Cli) -> Any:
    """Run a command, check all records, and return their events."""

    def run(command: str, *arguments: str | Path) -> set[str]:
        lines = cli(command, *arguments, "--json").out.splitlines()
        return {check(json.loads(line), command) for line in lines}

    return run


def test_commands_with_the_api(empty: Emulator, clock: Clock, run: Any, tmp_path: Path) -> None:
    """Successes and failures have the same fields."""
    export, failed = add_small_export(empty), add_small_export(empty, status="failed")
    empty.inject(Status(403, on="storage", artifact="csv", export_id=export.id), times=2)
    assert run("list") == run("get", export.id) == run("wait", export.id) == {"export"}
    assert run("download", export.id, failed.id, "--directory", tmp_path / "a", "--digest", "sha256") == {
        "artifact"
    }
    assert run("cat", export.id, "json", "-o", tmp_path / "file") == {"written"}
    events = run("sync", tmp_path / "s", "--count-rows")
    assert events >= {"started", "finished", "report", "summary"}
    add_small_export(empty, status="queued")
    assert run("sync", tmp_path / "s", "--wait-timeout", "0.01") >= {"waiting", "report", "summary"}
    empty.life = Life(queued=30, processing=30, rows=3)
    empty.inject(AdvanceClock(clock, 60), times=None)
    assert run("create", "contact", "--download", tmp_path / "c") == {"export", "artifact"}


def test_verify(empty: Emulator, cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that are missing or not in the manifest have the same fields."""
    export = add_small_export(empty)
    cli("sync", tmp_path)
    (tmp_path / f"{export.id}.csv").unlink()
    (tmp_path / "notes.txt").touch()
    main(["verify", str(tmp_path), "--json"])
    lines = capsys.readouterr().out.splitlines()
    assert [check(json.loads(line), "verify") for line in lines] == ["file"] * 3 + ["summary"]


def test_emulator(capsys: pytest.CaptureFixture[str]) -> None:
    """The record has the key that the emulator accepts."""
    assert main(["emulator", "--json", "--key", "px_key", "--duration", "0"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["api_key"], record["base_url"][:17]) == ("px_key", "http://127.0.0.1:")
    assert check(record, "emulator") == "emulator"


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last record is the summary."""
    main(["demo", "--directory", str(tmp_path), "--json", "--quiet"])
    events = [check(json.loads(line), "demo") for line in capsys.readouterr().out.splitlines()]
    assert (set(events[:-1]), events[-1]) == ({"compared"}, "summary")
