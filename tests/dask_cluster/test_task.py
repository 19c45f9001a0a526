"""The task of a batch."""

from __future__ import annotations

from typing import Any

import pytest

from packagex_async.integrations._dask.messages import ExportRecord
from packagex_async.integrations._dask.task import download_batch

pytest.importorskip("distributed")
pytestmark = pytest.mark.dask


async def test_unknown_job(client: Any) -> None:
    """After a restart, the cluster does not know a job any more."""
    records = [ExportRecord("exp_1", "completed", None, None, None)]
    result = await client.submit(download_batch, "packagex-download-unknown", 0, records, pure=False)
    assert "does not know the job: the cluster was restarted" in str(result.error)
    assert result.reports == ()
