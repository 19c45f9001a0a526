"""`create` and `wait`: an export asked for, and waited for to its end, whatever that is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator, Life, Refuse, Status
from tests.cli.support import Cli, Clock, Passing, Terminal
from tests.support import names


@pytest.fixture
def made(empty: Emulator, clock: Clock) -> Emulator:
    """The emulator, on which an export that is created is completed as soon as somebody looks."""
    empty.life = Life(queued=30, processing=30, rows=3)
    empty.inject(Passing(clock, 60), times=None)
    return empty


def test_create_tells_what_it_created(empty: Emulator, cli: Cli) -> None:
    """As a table, or as a line of JSON."""
    ended = cli("create", "contact")
    (created,) = empty.created
    assert (ended.code, ended.err) == (0, "")
    assert f"id               {created}\n" in ended.out
    (record,) = cli("create", "contact", "--json").records
    assert (record["id"], record["status"]) == (empty.created[1], "queued")


def test_create_sends_what_was_typed(empty: Emulator, cli: Cli) -> None:
    """A filter by its name goes before one of the object; what is JSON is taken as that."""
    ended = cli(
        "create", "shipment", "--options", '{"limit": 5, "direction": "asc"}', "--option", "limit=1000",
        "--option", "created_at=gte:2024-01-01", "--option", "name=a=b", "--timezone", "America/New_York",
        "--datetime-format", "MM/dd/yyyy", "--columns", "id,name", "--columns", "status",
    )  # fmt: skip
    assert ended.code == 0
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
def test_what_cannot_work_creates_nothing(options: list[str], empty: Emulator, cli: Cli) -> None:
    """One line says why."""
    ended = cli("create", "contact", *options)
    assert (ended.code, ended.out, len(ended.err.splitlines())) == (ExitCode.USAGE, "", 1)
    assert empty.requests == []


def test_create_can_wait(made: Emulator, cli: Cli) -> None:
    """The id is told first, then each status; the table has what is offered."""
    ended = cli("create", "contact", "--wait")
    (created,) = made.created
    assert ended.err.splitlines() == [
        f"packagex-exports: export {created} is created",
        f"packagex-exports: export {created} is completed",
    ]
    assert "artifacts        json, csv\n" in ended.out
    ended = cli("create", "contact", "--wait", "--json", "--quiet")
    assert [record["status"] for record in ended.records] == ["queued", "completed"]
    assert ended.err == f"packagex-exports: export {made.created[1]} is created\n"


def test_create_can_wait_and_download(made: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The outcome is told as `download` tells it."""
    ended = cli("create", "contact", "--download", tmp_path)
    (created,) = made.created
    assert ended.code == 0
    assert names(tmp_path) == [f"{created}.csv", f"{created}.json"]
    assert ended.out.splitlines()[1].split()[:3] == [created, "json", "downloaded"]
    made.inject(Status(403, on="storage", artifact="csv"))
    ended = cli("create", "contact", "--download", tmp_path, "--json")
    assert ended.code == ExitCode.PARTIAL
    told = [record.get("outcome") for record in ended.records]
    assert told == [None, None, "downloaded", "missing", "missing", "failed"]


def test_a_doubt_has_a_code_of_its_own(empty: Emulator, cli: Cli) -> None:
    """For a script must not create again what may be there."""
    empty.inject(Refuse(on="api", method="POST"))
    ended = cli("create", "contact")
    assert (ended.code, ended.out) == (ExitCode.UNCONFIRMED, "")
    assert "may have been created" in ended.err


@pytest.mark.parametrize(
    ("status", "code"),
    [("completed", 0), ("failed", ExitCode.FAILED), ("timed_out", ExitCode.TIMED_OUT)],
)
def test_wait_ends_as_the_export_does(status: str, code: int, empty: Emulator, cli: Cli) -> None:
    """The table is for one that was completed."""
    export = empty.add_export(status=status, rows=1)
    ended = cli("wait", export.id, "--quiet")
    assert ended.code == code
    assert ("completed" in ended.out, ended.out == "") == (code == 0, code != 0)
    assert len(ended.err.splitlines()) == bool(code)


def test_wait_for_what_is_not_there(empty: Emulator, cli: Cli) -> None:
    """It is told apart from what was too slow."""
    assert cli("wait", "exp_gone").code == ExitCode.NOT_FOUND
    slow = empty.add_export(status="processing")
    ended = cli("wait", slow.id, "--timeout", "0.01", "--json")
    assert ended.code == ExitCode.NOT_READY
    assert "after 0.01 seconds" in ended.err
    assert [record["status"] for record in ended.records] == ["processing"]


def test_a_terminal_sees_one_line_that_moves(
    empty: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone in the end."""
    export = empty.add_export(rows=1)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert cli("wait", export.id).code == 0
    assert f"export {export.id}" in terminal.getvalue()
    assert "packagex-exports:" not in terminal.getvalue()
    assert terminal.getvalue().rstrip().endswith("\x1b[2K")
