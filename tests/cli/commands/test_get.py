"""The command `get`."""

from __future__ import annotations

import re

from packagex_async.testing import Emulator
from tests.cli.support import Cli


def test_shows_the_artifacts_of_an_export(server: Emulator, cli: Cli) -> None:
    """The output is a table, or a JSON object with `--json`."""
    export = server.exports[0]
    result = cli("get", export.id)
    assert re.search(r"^artifacts +json, csv, csv_error, csv_sanitized$", result.out, re.MULTILINE)
    assert re.search(rf"^id +{export.id}$", result.out, re.MULTILINE)
    (record,) = cli("get", export.id, "--json").records
    assert record["artifacts"] == ["json", "csv", "csv_error", "csv_sanitized"]
    assert record["name"] == export.name


def test_export_in_progress_has_no_artifacts(server: Emulator, cli: Cli) -> None:
    """This is not an error."""
    result = cli("get", server.add_export(status="queued").id)
    assert re.search(r"^artifacts +-$", result.out, re.MULTILINE)
    assert result.code == 0
