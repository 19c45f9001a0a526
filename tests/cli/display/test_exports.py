"""Records and fields of exports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from packagex_async import Export
from packagex_async.cli.display.exports import COLUMNS, to_record
from packagex_async.testing import Emulator
from tests.cli.support import Cli

CREATED = datetime(2024, 5, 1, 2, 0, 7, tzinfo=UTC)


def test_unknown_values_are_shown_as_unknown(server: Emulator, cli: Cli) -> None:
    """They are empty in tab-separated text, and null in JSON."""
    export = server.add_export()
    server.update_export(export.id, count_total=None)
    assert cli("list").table[-1]["count_total"] == ""
    assert cli("list", "--json").records[-1]["count_total"] is None


def test_dates_are_in_utc() -> None:
    """Terminals show seconds; records are in ISO 8601. A missing date is `None`."""
    record = to_record(Export(id="exp_1", created_at=CREATED))
    assert (record["created_at"], record["updated_at"]) == ("2024-05-01T02:00:07+00:00", None)
    (column,) = [column for column in COLUMNS if column.name == "created_at"]
    assert column.text(record["created_at"]) == "2024-05-01 02:00:07Z"


def test_age_and_remaining_lifetime() -> None:
    """An export is deleted 24 hours after its creation. Both are in seconds, and never negative."""
    export = Export(id="exp_1", created_at=CREATED)

    def ages(hours: int) -> tuple[object, object]:
        record = to_record(export, CREATED + timedelta(hours=hours))
        return record["age"], record["expires_in"]

    assert [ages(hours) for hours in (-1, 1, 25)] == [(0, 90_000), (3600, 82_800), (90_000, 0)]
    record = to_record(Export(id="exp_1"))
    assert (record["age"], record["expires_in"]) == (None, None)


def test_records_contain_no_url() -> None:
    """URLs of artifacts are secrets."""
    export = Export(id="exp_1", csv_url="https://storage.example/?sig=SECRET")
    assert "SECRET" not in str(to_record(export))
