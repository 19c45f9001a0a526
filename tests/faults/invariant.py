"""The invariant of downloads, which is checked after every case."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from packagex_async import DownloadedFile, DownloadReport
from tests.support import open_files

SUFFIXES = {"json": ".json", "csv": ".csv", "csv_error": ".error.csv", "csv_sanitized": ".sanitized.csv"}
SECRET = "c4f3-n0t-t0-b3-t0ld"
"""The signature in every URL of a raw storage server."""

_CLIENT_FILES = ("packagex_async/", "aiofiles/")
_EMULATOR_FILES = "packagex_async/testing/"

Versions = Mapping[str, Collection[bytes]]
"""All contents that each artifact has had, by artifact."""


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of each regular file in `folder`, hidden files included."""
    # `Path.is_dir` raises for names that are too long.
    paths = folder.iterdir() if os.path.isdir(folder) else ()
    return {path.name: path.read_bytes() for path in paths if path.is_file() and not path.is_symlink()}


def check(
    folder: Path,
    export_id: str,
    versions: Versions,
    *,
    before: Mapping[str, bytes],
    report: DownloadReport | None = None,
    resume: bool = False,
) -> None:
    """Check that every file is unchanged or complete, that no resource leaked, and that the report is true.

    Args:
        folder: The folder of the download.
        export_id: The id of the export.
        versions: The contents that count as complete.
        before: The files in `folder` before the download.
        report: The report of the download, if it returned one.
        resume: Whether partial files may remain for the next run.
    """
    after = read_files(folder)
    if resume:
        before, after = _without_partials(before), _without_partials(after)
    expected = {export_id + suffix: versions.get(artifact, ()) for artifact, suffix in SUFFIXES.items()}
    for name, content in after.items():
        assert content == before.get(name) or content in expected.get(name, ()), (
            f"{name} is neither unchanged nor complete"
        )
    assert set(before) - set(after) == set(), "an existing file is missing"
    assert open_files(folder) == []
    assert _tasks() == []
    if report is not None:
        _check_report(report, versions, before, after, resume=resume)


def _without_partials(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if not name.startswith(".")}


def _check_report(
    report: DownloadReport,
    versions: Versions,
    before: Mapping[str, bytes],
    after: Mapping[str, bytes],
    *,
    resume: bool,
) -> None:
    for file in report.files:
        _check_file(file, versions[file.artifact], before, resume=resume)
    for failure in report.failures:
        name = report.export_id + SUFFIXES[failure.artifact]
        assert after.get(name) == before.get(name), "a failed artifact has changed its target"
        assert SECRET not in f"{failure} {failure!r} {failure.__cause__!r} {failure.__context__!r}"
    assert SECRET not in f"{report} {report!r}"


def _check_file(
    file: DownloadedFile, versions: Collection[bytes], before: Mapping[str, bytes], *, resume: bool
) -> None:
    content = file.path.read_bytes()
    assert content in versions
    assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert file.attempts >= 1 + (file.resumed and not resume)
    assert not file.kept or before[file.path.name] == content


def _tasks() -> list[asyncio.Task[object]]:
    """Return the unfinished tasks of the client."""
    files = {task: getattr(task.get_coro(), "cr_code").co_filename for task in asyncio.all_tasks()}  # noqa: B009
    return [
        task
        for task, file in files.items()
        if any(part in file for part in _CLIENT_FILES) and _EMULATOR_FILES not in file and not task.done()
    ]
