"""The command `create`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator, Life, Refuse, Status
from tests.cli.support import AdvanceClock, Cli, Clock
from tests.support import names


@pytest.fixture
def fast(empty: Emulator, clock: Clock) -> Emulator:
    """An emulator on which a created export is completed at the first poll."""
    empty.life = Life(queued=30, processing=30, rows=3)
    empty.inject(AdvanceClock(clock, 60), times=None)
    return empty


def test_prints_the_created_export(empty: Emulator, cli: Cli) -> None:
    """The output is one line per field, or a JSON object with `--json`."""
    result = cli("create", "contact")
    (created,) = empty.created
    assert (result.code, result.err) == (0, "")
    assert f"id\t{created}\n" in result.out
    (record,) = cli("create", "contact", "--json").records
    assert (record["id"], record["status"]) == (empty.created[1], "queued")


def test_request_contains_all_options(empty: Emulator, cli: Cli) -> None:
    """`--option` overrides `--options`. Values that are valid JSON are decoded."""
    result = cli(
        "create", "shipment", "--options", '{"limit": 5, "direction": "asc"}', "--option", "limit=1000",
        "--option", "created_at=gte:2024-01-01", "--option", "name=a=b", "--timezone", "America/New_York",
        "--datetime-format", "MM/dd/yyyy", "--columns", "id,name", "--columns", "status",
    )  # fmt: skip
    assert result.code == 0
    assert json.loads(empty.requests[0].body) == {
        "resource": "shipment",
        "options": {"limit": 1000, "direction": "asc", "created_at": "gte:2024-01-01", "name": "a=b"},
        "csv_field_options": {
            "timezone": "America/New_York",
            "datetime_format": "MM/dd/yyyy",
            "columns": {"id": True, "name": True, "status": True},
        },
    }
    cli("create", "contact")
    assert json.loads(empty.requests[1].body) == {"resource": "contact"}


@pytest.mark.parametrize(
    "options",
    [
        ["--options", "{"],
        ["--options", "[" * 100_000],
        ["--options", "[]"],
        ["--option", "limit"],
        ["--option", "=7"],
        ["--option", "limit=0"],
        ["--timezone", ""],
        ["--columns", ","],
        ["--wait", "--timeout", "0"],
    ],
)
def test_invalid_option_creates_nothing(options: list[str], empty: Emulator, cli: Cli) -> None:
    """The error is one line."""
    result = cli("create", "contact", *options)
    assert (result.code, result.out, len(result.messages)) == (ExitCode.USAGE, "", 1)
    assert empty.requests == []


def test_wait_prints_each_status(fast: Emulator, cli: Cli) -> None:
    """The id is printed first. The final output contains the artifacts."""
    result = cli("create", "contact", "--wait")
    (created,) = fast.created
    assert result.messages == [
        f"packagex-exports: export {created} is created",
        f"packagex-exports: export {created} is completed",
    ]
    assert "artifacts\tjson,csv\n" in result.out
    result = cli("create", "contact", "--wait", "--json", "--quiet")
    assert [record["status"] for record in result.records] == ["queued", "completed"]
    assert result.err == f"packagex-exports: export {fast.created[1]} is created\n"


def test_download_prints_the_artifacts(fast: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The output is that of `download`."""
    result = cli("create", "contact", "--download", tmp_path)
    (created,) = fast.created
    assert result.code == 0
    assert names(tmp_path) == [f"{created}.csv", f"{created}.json"]
    assert result.out.splitlines()[1].split()[:3] == [created, "json", "downloaded"]
    fast.inject(Status(403, on="storage", artifact="csv"))
    result = cli("create", "contact", "--download", tmp_path, "--json")
    assert result.code == ExitCode.PARTIAL
    outcomes = [record.get("outcome") for record in result.records]
    assert outcomes == [None, None, "downloaded", "not_offered", "not_offered", "failed"]


def test_unconfirmed_creation_has_its_own_exit_code(empty: Emulator, cli: Cli) -> None:
    """A script must not create the export again, because it may exist."""
    empty.inject(Refuse(on="api", method="POST"))
    result = cli("create", "contact")
    assert (result.code, result.out) == (ExitCode.UNCONFIRMED, "")
    assert "may have been created" in result.err
