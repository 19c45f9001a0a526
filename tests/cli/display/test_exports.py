"""Rows and records of exports."""

from __future__ import annotations

from datetime import UTC, datetime

from packagex_async import Export
from packagex_async.cli.display.exports import HEADINGS, to_record, to_row
from packagex_async.testing import Emulator
from tests.cli.support import Cli


def test_unknown_values_are_shown_as_unknown(server: Emulator, cli: Cli) -> None:
    """They are a dash in the table, and null in JSON."""
    export = server.add_export()
    server.update_export(export.id, count_total=None)
    assert cli("list").out.splitlines()[-1].split()[:4] == [export.id, "contact", "completed", "-"]
    assert cli("list", "--json").records[-1]["count_total"] is None


def test_dates_are_in_utc() -> None:
    """Tables have seconds; JSON is ISO 8601. A missing date is `None`."""
    export = Export(id="exp_1", created_at=datetime(2024, 5, 1, 2, 0, 7, tzinfo=UTC))
    assert dict(zip(HEADINGS, to_row(export), strict=True))["created"] == "2024-05-01 02:00:07Z"
    record = to_record(export)
    assert (record["created_at"], record["updated_at"]) == ("2024-05-01T02:00:07+00:00", None)


def test_records_contain_no_url() -> None:
    """URLs of artifacts are secrets."""
    export = Export(id="exp_1", csv_url="https://storage.example/?sig=SECRET")
    assert "SECRET" not in str(to_record(export)) + str(to_row(export))
