"""Options of a job."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from packagex_async import Artifact, Bucket, ConfigurationError
from packagex_async.integrations._dask.options import check_destination, check_options, worker_options
from packagex_async.integrations.dask import download_all


def test_iterators_become_tuples() -> None:
    """Iterators could not be sent, and could be read once only."""
    options = check_options(
        {
            "artifacts": iter(["csv"]),
            "exclude": iter(["*.json"]),
            "types": {"n": "int64"},
            "on_progress": None,
            "search": "x",
        }
    )
    assert options == {
        "artifacts": (Artifact.CSV,),
        "exclude": ("*.json",),
        "types": {"n": "int64"},
        "search": "x",
    }
    assert check_options({"exclude": "*.csv"}) == {"exclude": "*.csv"}


def test_worker_options() -> None:
    """Workers get all options of downloads, and none of the listing."""
    options = worker_options({"search": "x", "concurrency": 3})
    assert (options["concurrency"], options["resume"], options["layout"]) == (3, True, "flat")
    assert not options.keys() & {"search", "wait", "follow", "on_wait", "on_poll", "prune_after"}


@pytest.mark.parametrize("name", ["self", "directory", "unknown"])
def test_unknown_options(name: str) -> None:
    """They are named."""
    with pytest.raises(ConfigurationError, match=f"{name} is not an option of download_all"):
        check_options({name: 1})


def test_destinations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path becomes absolute; a bucket stays as it is."""
    monkeypatch.chdir(tmp_path)
    assert check_destination("x") == str(tmp_path / "x")
    pytest.importorskip("obstore")
    bucket = Bucket("memory://")
    assert check_destination(bucket) is bucket


async def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        ConfigurationError, match=r"the extra dask: pip install 'packagex-async\[dask\]' adds it"
    ):
        download_all(None, tmp_path)
