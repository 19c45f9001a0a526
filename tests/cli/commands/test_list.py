"""The command `list`."""

from __future__ import annotations

from pathlib import Path

import pytest

from packagex_async.cli.display.exports import COLUMNS
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator
from tests.cli.support import Cli, Terminal

FIELDS = tuple(column.name for column in COLUMNS)


def test_table_has_one_row_per_export(server: Emulator, cli: Cli) -> None:
    """Without a terminal, rows are neither wrapped nor cut, however long they are."""
    long = server.add_export(name="n" * 300, export_id="exp_" + "i" * 120)
    result = cli("list", "--limit", "4")
    assert tuple(result.table[0]) == FIELDS
    assert [row["id"] for row in result.table] == [export.id for export in server.exports]
    assert result.table[-1]["name"] == long.name
    assert "\x1b" not in result.out
    assert (result.code, result.err) == (0, "")


def test_json_has_one_line_per_export(server: Emulator, cli: Cli) -> None:
    """Each line contains all fields except the URLs."""
    result = cli("list", "--json", "--direction", "desc")
    assert [record["id"] for record in result.records] == [export.id for export in reversed(server.exports)]
    first, stored = result.records[-1], server.exports[0]
    assert list(first) == [
        "event", "id", "status", "resource", "count_total", "created_at", "age", "expires_in", "name",
        "count_batches", "updated_at", "organization_id",
    ]  # fmt: skip
    assert (first["resource"], first["count_total"]) == (stored.resource, stored.count_total)
    assert first["created_at"].endswith("+00:00")


def test_page_is_the_first_page(server: Emulator, cli: Cli) -> None:
    """`--page` skips the exports of earlier pages."""
    records = cli("list", "--page", "2", "--limit", "10", "--json").records
    assert [record["id"] for record in records] == [export.id for export in server.exports[10:]]


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ("-n 3", ["3"]),
        ("-n 3 --sort count_total", ["3"]),
        ("-n 500", ["100"]),
        # The page that --page names depends on the size of the pages.
        ("-n 3 --page 2", ["100"]),
        # All exports are requested first.
        ("-n 3 --sort name", ["100"]),
        # The API does not have this filter.
        ("-n 3 --created-after 30d", ["100"]),
        ("-n 3 --limit 50", ["50"]),
    ],
)
def test_maximum_is_the_page_size(options: str, limits: list[str], server: Emulator, cli: Cli) -> None:
    """One page has all listed exports, unless its size would change the result."""
    assert cli("list", *options.split()).code == 0
    assert [request.query["limit"] for request in server.requests] == limits


def test_maximum_limits_the_requests(server: Emulator, cli: Cli) -> None:
    """Pages after the last listed export are not requested. `--limit` remains the size of a page."""
    result = cli("list", "-n", "5", "--limit", "2")
    assert [row["id"] for row in result.table] == [export.id for export in server.exports[:5]]
    assert [request.query["limit"] for request in server.requests] == ["2", "2", "2"]
    server.requests.clear()
    assert len(cli("list", "--max", "4", "--limit", "2").table) == 4
    assert len(server.requests) == 2


def test_fields_select_columns(server: Emulator, cli: Cli) -> None:
    """The order is that of the option, also in JSON."""
    export = server.exports[0]
    result = cli("list", "-n", "1", "--fields", "name,id")
    assert result.out == f"name\tid\n{export.name}\t{export.id}\n"
    (record,) = cli("list", "-n", "1", "--fields", "name", "--fields", "id", "--json").records
    assert list(record.items()) == [("event", "export"), ("name", export.name), ("id", export.id)]


@pytest.mark.parametrize(
    ("field", "query"),
    [
        ("created_at", ("created_at", "asc")),
        ("-updated_at", ("updated_at", "desc")),
        ("age", ("created_at", "desc")),
        ("-age", ("created_at", "asc")),
        ("-expires_in", ("created_at", "desc")),
    ],
)
def test_api_sorts(field: str, query: tuple[str, str], server: Emulator, cli: Cli) -> None:
    """Fields that the API sorts by are sent."""
    assert cli("list", "--sort", field, "-n", "2").code == 0
    assert [(request.query["order_by"], request.query["direction"]) for request in server.requests] == [query]


def test_other_fields_are_sorted_after_the_requests(server: Emulator, cli: Cli) -> None:
    """All exports are requested, and the first ones are shown."""
    names = sorted((export.name for export in server.exports), key=str.casefold, reverse=True)
    result = cli("list", "--sort", "-name", "--max", "3", "--limit", "4")
    assert [row["name"] for row in result.table] == names[:3]
    assert "order_by" not in server.requests[0].query


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fields", "id,nme"], "--fields: unknown field 'nme'; the fields are id, status, "),
        (["--fields", ","], "--fields: no field; the fields are id, status, "),
        (["--sort", "-nme"], "--sort: unknown field 'nme'; the fields are id, status, "),
        (["--sort", "name", "--order-by", "created_at"], "--sort cannot be combined with --order-by"),
        (["--sort", "name", "--direction", "asc"], "--sort cannot be combined with --order-by"),
        (["--max", "0"], "Must be >= 1"),
        (["--output", "/"], "--output / is a directory"),
    ],
)
def test_invalid_options(options: list[str], message: str, server: Emulator, cli: Cli) -> None:
    """The message names the valid values. No request is sent."""
    result = cli("list", *options)
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert message in result.err
    assert server.requests == []


def test_output_file(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The file contains the text that a pipe would receive."""
    file = tmp_path / "exports.tsv"
    assert cli("list", "--fields", "id,name", "-o", file) == (0, "", "")
    assert file.read_text(encoding="utf-8") == cli("list", "--fields", "id,name").out
    assert list(tmp_path.iterdir()) == [file]


def test_empty_list_on_a_terminal(empty: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message says that there are no exports. In a pipe, the output is the headings only."""
    assert cli("list").out == "\t".join(FIELDS) + "\n"
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    assert cli("list").err == "packagex-exports: no exports found\n"
    assert terminal.getvalue() == ""
