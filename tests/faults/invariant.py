"""What holds after every case, however it went: the one check that all of them share."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from packagex_async import DownloadedFile, DownloadReport

SUFFIXES = {"json": ".json", "csv": ".csv", "csv_error": ".error.csv", "csv_sanitized": ".sanitized.csv"}
SECRET = "c4f3-n0t-t0-b3-t0ld"
"""The signature in every link to a raw host."""

_WORK = ("packagex_async/", "aiofiles/")
_FAR_SIDE = "packagex_async/testing/"

Wholes = Mapping[str, Collection[bytes]]
"""Every content that each artifact has had, by name."""


def held(folder: Path) -> dict[str, bytes]:
    """The content of each file in `folder`, hidden ones included; what is no regular file is left out."""
    # `Path.is_dir` would raise for a name that is too long.
    paths = folder.iterdir() if os.path.isdir(folder) else ()
    return {path.name: path.read_bytes() for path in paths if path.is_file() and not path.is_symlink()}


def check(
    folder: Path,
    export_id: str,
    wholes: Wholes,
    *,
    before: Mapping[str, bytes],
    report: DownloadReport | None = None,
    resume: bool = False,
) -> None:
    """Hold what a download left against the invariant.

    Args:
        folder: Where it went.
        export_id: What it was of.
        wholes: What is whole.
        before: What `folder` held before.
        report: What the download said, if it got so far.
        resume: Whether partial files may be left for the next run.
    """
    after = held(folder)
    if resume:
        before, after = _without_partials(before), _without_partials(after)
    own = {export_id + suffix: wholes.get(artifact, ()) for artifact, suffix in SUFFIXES.items()}
    for name, content in after.items():
        assert content == before.get(name) or content in own.get(name, ()), f"{name} is neither old nor whole"
    assert set(before) - set(after) == set(), "a file that was there is gone"
    assert _open_files(folder) == []
    assert _tasks() == []
    if report is not None:
        _check_report(report, wholes, before, after, resume=resume)


def _without_partials(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if not name.startswith(".")}


def _check_report(
    report: DownloadReport,
    wholes: Wholes,
    before: Mapping[str, bytes],
    after: Mapping[str, bytes],
    *,
    resume: bool,
) -> None:
    for file in report.files:
        _check_file(file, wholes[file.artifact], before, resume=resume)
    for failure in report.failures:
        name = report.export_id + SUFFIXES[failure.artifact]
        assert after.get(name) == before.get(name), "what failed has changed its target"
        assert SECRET not in f"{failure} {failure!r} {failure.__cause__!r} {failure.__context__!r}"
    assert SECRET not in f"{report} {report!r}"


def _check_file(
    file: DownloadedFile, wholes: Collection[bytes], before: Mapping[str, bytes], *, resume: bool
) -> None:
    content = file.path.read_bytes()
    assert content in wholes
    assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert file.attempts >= 1 + (file.resumed and not resume)
    assert not file.kept or before[file.path.name] == content


def _open_files(folder: Path) -> list[str]:
    """The paths below `folder` that this process holds open."""
    opened = []
    for number in os.listdir("/proc/self/fd"):
        try:
            opened.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue  # it was the listing's own
    return [path for path in opened if path.startswith(f"{folder}/")]


def _tasks() -> list[asyncio.Task[object]]:
    """The client's tasks that still run."""
    files = {task: getattr(task.get_coro(), "cr_code").co_filename for task in asyncio.all_tasks()}  # noqa: B009
    return [
        task
        for task, file in files.items()
        if any(work in file for work in _WORK) and _FAR_SIDE not in file and not task.done()
    ]
