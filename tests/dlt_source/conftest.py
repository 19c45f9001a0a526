"""Fixtures for tests of the dlt source: an emulator in a thread, and pipelines into DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from packagex_async.testing import Emulator, serve_in_thread

KEY = "px_live_CANARY_of_the_key"


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the files of dlt in the folder of the test, and send no telemetry."""
    pytest.importorskip("dlt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt_data"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.delenv("PX_API_KEY", raising=False)
    yield
    from dlt.common.configuration.container import Container
    from dlt.common.pipeline import PipelineContext

    if (context := Container()[PipelineContext]).is_active():
        context.deactivate()


@pytest.fixture
def server() -> Iterator[Emulator]:
    """Provide an empty emulator in a thread, because dlt blocks the thread of the test."""
    with serve_in_thread(Emulator(populate=False, api_key=KEY)) as server:
        yield server


@pytest.fixture
def source(server: Emulator) -> Callable[..., Any]:
    """Provide a function that returns a source of the emulator."""
    from packagex_async.integrations.dlt import exports_source

    def make(**options: Any) -> Any:
        return exports_source(api_key=server.api_key, base_url=server.base_url, **options)

    return make


@pytest.fixture
def pipeline(tmp_path: Path) -> Any:
    """Provide a pipeline into a DuckDB file."""
    return new_pipeline(tmp_path)


def new_pipeline(folder: Path, **options: Any) -> Any:
    """Return a pipeline whose database and working folder are in `folder`."""
    import dlt

    return dlt.pipeline(
        "exports",
        destination=dlt.destinations.duckdb(str(folder / "exports.duckdb")),
        dataset_name="packagex",
        pipelines_dir=str(folder / "pipelines"),
        **options,
    )


def select(pipeline: Any, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with pipeline.sql_client() as client:
        rows: list[tuple[Any, ...]] = client.execute_sql(query)
    return rows


def ids(pipeline: Any, table: str = "contact") -> list[str]:
    """Return the ids of the exports whose rows are in a table, one per row, sorted."""
    return [row[0] for row in select(pipeline, f"SELECT _export_id FROM {table} ORDER BY 1")]
