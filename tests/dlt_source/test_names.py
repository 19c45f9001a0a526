"""Names of tables and columns are valid and different in the database."""

from __future__ import annotations

import pytest

from packagex_async.integrations.dlt.names import column_names, table_name

pytest.importorskip("dlt")


def normalize(name: str) -> str:
    from dlt.common.normalizers.naming.snake_case import NamingConvention

    normalized: str = NamingConvention().normalize_path(name)
    return normalized


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (["id", "Zip Code"], ["id", "Zip Code"]),
        (["a", "A", "a_2"], ["a", "A_3", "a_2"]),
        (["zipCode", "zip_code", "ZIP code"], ["zipCode", "zip_code_2", "ZIP code_3"]),
        (["", " ", "a"], ["column_1", "column_2", "a"]),
        (["", "column_1"], ["column_1_2", "column_1"]),
        (["_export_row", "_Export Row"], ["_export_row_2", "_Export Row_3"]),
        (
            ["_dlt_load_id", "_dlt_x", "column_dlt_x"],
            ["column_dlt_load_id", "column_dlt_x_2", "column_dlt_x"],
        ),
        (["日本", "中国"], ["日本", "中国_2"]),
        ([], []),
    ],
)
def test_column_names(columns: list[str], names: list[str]) -> None:
    """Each column has a different name in the database. Names that need not change are kept."""
    result = column_names(columns, normalize)
    assert result.names == names
    assert len({normalize(name) for name in names}) == len(names)
    assert result.renamed == {old: new for old, new in zip(columns, names, strict=True) if old != new}


def test_long_names() -> None:
    """Long names that begin alike are different after they are shortened."""
    from dlt.common.normalizers.naming.snake_case import NamingConvention

    convention = NamingConvention(max_length=30)
    columns = ["x" * 100, "X" * 100, "x" * 101]
    names = column_names(columns, convention.normalize_path).names
    assert len({convention.normalize_path(name) for name in names}) == 3


@pytest.mark.parametrize("resource", [None, "", "  ", "_dlt_loads", "_DLT version"])
def test_unknown_table(resource: str | None) -> None:
    """A resource without a usable name has the table `unknown`."""
    assert table_name(resource, normalize) == "unknown"


@pytest.mark.parametrize("resource", ["contact", "Purchase Order"])
def test_table_names(resource: str) -> None:
    """dlt normalizes the name of any other resource."""
    assert table_name(resource, normalize) == resource
