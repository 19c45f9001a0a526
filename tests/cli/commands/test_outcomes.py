"""Records and exit codes of downloaded exports."""

from __future__ import annotations

from pathlib import Path

import pytest

from packagex_async import DownloadReport, ExportNotReadyError
from packagex_async.cli.commands.outcomes import FIELDS, Outcome, exit_code_of_outcomes
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator, Status
from tests.cli.support import Cli, add_small_export


def test_json_has_one_line_per_artifact(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """All lines have the same fields. Fields without a value are null."""
    export = add_small_export(server)
    result = cli("download", export.id, "--directory", tmp_path, "--json", "--artifacts", "json,csv_error")
    downloaded, not_offered = result.records
    assert downloaded | {"elapsed": 0} == {
        "event": "artifact",
        "export_id": export.id,
        "artifact": "json",
        "outcome": "downloaded",
        "path": str(tmp_path / f"{export.id}.json"),
        "size": 6,
        "verified": "checksum",
        "sha256": None,
        "attempts": 1,
        "resumed": False,
        "elapsed": 0,
        "rows": None,
        "source_sha256": None,
        "count_total": export.count_total,
        "error": None,
        "key": None,
    }
    assert not_offered == dict.fromkeys(downloaded) | {
        "event": "artifact",
        "export_id": export.id,
        "count_total": export.count_total,
        "artifact": "csv_error",
        "outcome": "not_offered",
    }


def test_failed_export_does_not_stop_the_others(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """Each failure is a line on stderr and a record on stdout. The exit code is 5."""
    server.inject(Status(403, on="storage", artifact="csv"))
    partial, complete = add_small_export(server), add_small_export(server)
    result = cli("download", "exp_gone", partial.id, complete.id, "--directory", tmp_path, "--json")
    assert result.code == ExitCode.PARTIAL
    outcomes = [
        (record["export_id"], record["artifact"], record["outcome"])
        for record in result.records
        if record["outcome"] != "not_offered"
    ]
    assert outcomes == [
        ("exp_gone", None, "failed"),
        (partial.id, "json", "downloaded"),
        (partial.id, "csv", "failed"),
        (complete.id, "json", "downloaded"),
        (complete.id, "csv", "downloaded"),
    ]
    export_error, artifact_error = result.messages
    assert "404" in export_error
    assert f"export {partial.id}, artifact csv: the storage host answered 403" in artifact_error
    assert result.records[0]["error"] in export_error


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        (["exp_gone", "exp_lost"], ExitCode.NOT_FOUND),
        (["exp_queued"], ExitCode.NOTHING),
        (["exp_queued", "exp_gone"], ExitCode.NOTHING),
        (["exp_bare"], ExitCode.OK),
        (["exp_bare", "exp_gone"], ExitCode.PARTIAL),
    ],
)
def test_common_exit_code(ids: list[str], code: ExitCode, server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """A common reason has its own code. An export without artifacts is not a failure."""
    server.add_export(export_id="exp_queued", status="queued")
    server.add_export(export_id="exp_bare", content={})
    assert cli("download", *ids, "--directory", tmp_path).code == code


def test_failed_export_has_a_record_without_artifact() -> None:
    """The record contains the error."""
    error = ExportNotReadyError("still queued", export_id="exp_1")
    outcome = Outcome(DownloadReport(export_id="exp_1"), (error,))
    (record,) = outcome.records()
    assert tuple(record) == FIELDS
    assert (record["outcome"], record["artifact"], record["error"]) == ("failed", None, str(error))
    assert not outcome.succeeded
    assert exit_code_of_outcomes([outcome]) == ExitCode.NOTHING
