"""The command `list`."""

from __future__ import annotations

from packagex_async.testing import Emulator
from tests.cli.support import Cli


def test_table_has_one_row_per_export(server: Emulator, cli: Cli) -> None:
    """Without a terminal, rows are neither wrapped nor cut, however long they are."""
    long = server.add_export(name="n" * 300, export_id="exp_" + "i" * 120)
    result = cli("list", "--limit", "4")
    heading, *rows = result.out.splitlines()
    assert heading.split() == ["id", "resource", "status", "rows", "created", "name"]
    assert [row.split()[0] for row in rows] == [export.id for export in server.exports]
    assert rows[-1].endswith(long.name)
    assert "\x1b" not in result.out
    assert (result.code, result.err) == (0, "")


def test_json_has_one_line_per_export(server: Emulator, cli: Cli) -> None:
    """Each line contains all fields except the URLs."""
    result = cli("list", "--json", "--direction", "desc")
    assert [record["id"] for record in result.records] == [export.id for export in reversed(server.exports)]
    first, stored = result.records[-1], server.exports[0]
    assert list(first) == [
        "id", "name", "resource", "status", "count_total", "count_batches", "organization_id", "created_at",
        "updated_at",
    ]  # fmt: skip
    assert (first["resource"], first["count_total"]) == (stored.resource, stored.count_total)
    assert first["created_at"].endswith("+00:00")


def test_page_is_the_first_page(server: Emulator, cli: Cli) -> None:
    """`--page` skips the exports of earlier pages."""
    records = cli("list", "--page", "2", "--limit", "10", "--json").records
    assert [record["id"] for record in records] == [export.id for export in server.exports[10:]]
