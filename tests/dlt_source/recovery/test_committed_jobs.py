"""Files that the destination has committed are not loaded again."""

from __future__ import annotations

import gzip
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packagex_async.testing import Emulator
from tests.dlt_source.conftest import new_pipeline, select

Source = Callable[..., Any]

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning:dlt")


@pytest.fixture
def kill(tmp_path: Path) -> Callable[..., Any]:
    """Provide a function that loads a source, and returns the pipeline as a kill would have left it.

    All files are committed in the destination, and the load package contains all jobs as started.
    """

    def load(source: Any, **options: Any) -> Any:
        pipeline = new_pipeline(tmp_path)
        pipeline.extract(source, **options)
        pipeline.normalize()
        folder, copy = Path(pipeline.working_dir), tmp_path / "copy"
        shutil.copytree(folder, copy)
        pipeline.load()
        shutil.rmtree(folder)
        shutil.copytree(copy, folder)
        pipeline = new_pipeline(tmp_path)
        packages = pipeline._get_load_storage().normalized_packages
        (load_id,) = pipeline.list_normalized_load_packages()
        for path in packages.list_new_jobs(load_id):
            packages.start_job(load_id, Path(path).name)
        return pipeline

    return load


def rows_of(pipeline: Any, table: str = "contact") -> list[tuple[Any, ...]]:
    return select(pipeline, f"SELECT _export_id, _export_row FROM {table}")


@pytest.mark.parametrize("file_format", ["parquet", "insert_values", "jsonl"])
def test_committed_files(
    server: Emulator, source: Source, kill: Callable[..., Any], file_format: str
) -> None:
    """The rows of a committed file are not appended again, and the next run loads nothing."""
    for resource in ("contact", "contact", "shipment"):
        server.add_export(resource=resource, rows=5)
    pipeline = kill(source(), loader_file_format=file_format)
    pipeline.run(source())
    assert len(set(rows_of(pipeline))) == len(rows_of(pipeline)) == 10
    assert len(rows_of(pipeline, "shipment")) == 5
    assert pipeline.run(source()).loads_ids == []


def test_many_exports(server: Emulator, source: Source, kill: Callable[..., Any]) -> None:
    """A file with more exports than a query has is complete if all its rows are in the table."""
    for _ in range(101):
        server.add_export(rows=1)
    pipeline = kill(source())
    pipeline.run()
    assert len(rows_of(pipeline)) == 101


def test_missing_row(server: Emulator, source: Source, kill: Callable[..., Any]) -> None:
    """A file is loaded if any of its rows is not in the table, so that no row is lost."""
    server.add_export(rows=3)
    pipeline = kill(source())
    select(pipeline, "DELETE FROM contact WHERE _export_row = 2 RETURNING 1")
    pipeline.run()
    assert {row for _, row in rows_of(pipeline)} == {1, 2, 3}


def test_other_dispositions(server: Emulator, source: Source, kill: Callable[..., Any]) -> None:
    """Rows are merged again, which changes nothing."""
    server.add_export(rows=3)
    exports = source()
    exports.exports.apply_hints(write_disposition="merge")
    pipeline = kill(exports)
    pipeline.run()
    assert len(rows_of(pipeline)) == 3


def test_unexpected_files(
    server: Emulator, source: Source, kill: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A warning names the job whose rows cannot be compared, and dlt loads it."""
    logging.getLogger("dlt").addHandler(caplog.handler)
    server.add_export(rows=3)
    pipeline = kill(source(), loader_file_format="insert_values")
    (file,) = Path(pipeline.working_dir).rglob("started_jobs/contact.*")
    text = gzip.decompress(file.read_bytes()).decode()
    file.write_text(text.replace(",2,", ",CAST(2 AS BIGINT),"))
    pipeline.run()
    assert "exports_source cannot find out whether its rows are in the destination" in caplog.text
    assert len(rows_of(pipeline)) == 6


def test_state_of_the_pipeline(server: Emulator, source: Source, kill: Callable[..., Any]) -> None:
    """The state is not loaded again, which PostgreSQL would refuse for ever."""
    server.add_export(rows=3)
    pipeline = kill(source())
    pipeline.run()
    assert select(pipeline, "SELECT COUNT(*) FROM _dlt_pipeline_state") == [(1,)]


def test_other_sources(source: Source, kill: Callable[..., Any]) -> None:
    """Tables of other sources are loaded as dlt does without this package."""
    import dlt

    source()
    pipeline = kill(dlt.resource([{"_export_id": "exp_1"}], name="items"))
    pipeline.run()
    assert len(select(pipeline, "SELECT * FROM items")) == 2
