"""Records that travel between processes."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest

from packagex_async import ConfigurationError, Export, ExportResource, ExportStatus
from packagex_async._version import __version__
from packagex_async.integrations._dask.messages import ExportRecord, JobSettings, check_version

MOMENT = datetime(2024, 5, 6, 7, tzinfo=UTC)


def test_export_record() -> None:
    """It has the fields that determine paths, and no others."""
    export = Export(
        id="exp_1",
        status=ExportStatus.COMPLETED,
        resource=ExportResource("tray"),
        name="secret name",
        created_at=MOMENT,
        updated_at=MOMENT,
        csv_url="https://storage/?sig=canary",
    )
    record = ExportRecord.of(export)
    assert [*record] == ["exp_1", "completed", "tray", MOMENT, MOMENT, False]
    assert b"canary" not in pickle.dumps(record)
    restored = record.to_export()
    assert (restored.id, restored.status, restored.resource) == ("exp_1", "completed", "tray")
    assert ExportRecord.of(restored) == record


def test_export_without_fields() -> None:
    """Missing fields stay missing."""
    record = ExportRecord.of(Export(id="exp_1"), refresh=True)
    assert [*record] == ["exp_1", None, None, None, None, True]
    assert record.to_export() == Export(id="exp_1")


def test_settings() -> None:
    """The names of operations contain that of the job."""
    settings = JobSettings(
        name="job", version="1", base_url=None, environment="sandbox", destination="/x", options={}
    )
    assert settings.operation("end") == "job-end"


def test_versions() -> None:
    """A process with another version is named."""
    check_version(__version__, "the scheduler")
    with pytest.raises(ConfigurationError, match=f"the scheduler has packagex-async {__version__}, and"):
        check_version("0", "the scheduler")
