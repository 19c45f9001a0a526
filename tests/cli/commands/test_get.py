"""The command `get`."""

from __future__ import annotations

import sys

import pytest

from packagex_async.testing import Emulator
from tests.cli.support import Cli, Terminal


def test_shows_the_artifacts_of_an_export(server: Emulator, cli: Cli) -> None:
    """The output is one line per field, or a JSON object with `--json`."""
    export = server.exports[0]
    result = cli("get", export.id)
    assert "artifacts\tjson,csv,csv_error,csv_sanitized" in result.out.splitlines()
    assert f"id\t{export.id}" in result.out.splitlines()
    (record,) = cli("get", export.id, "--json").records
    assert record["artifacts"] == ["json", "csv", "csv_error", "csv_sanitized"]
    assert record["name"] == export.name


def test_export_in_progress_has_no_artifacts(server: Emulator, cli: Cli) -> None:
    """This is not an error."""
    result = cli("get", server.add_export(status="queued").id)
    assert "artifacts\t" in result.out.splitlines()
    assert result.code == 0


def test_terminal(server: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each field is one line. An export without artifacts has a dash."""
    monkeypatch.setenv("TERM", "dumb")
    for export, artifacts in (
        (server.exports[0], "json, csv, csv_error, csv_sanitized"),
        (server.exports[-1], "-"),
    ):
        monkeypatch.setattr(sys, "stdout", terminal := Terminal())
        assert cli("get", export.id, "--fields", "id,artifacts").code == 0
        assert terminal.getvalue() == f"id: {export.id}\nartifacts: {artifacts}\n"
