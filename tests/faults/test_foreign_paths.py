"""Foreign paths: what stands where our files should be is not followed, not opened and not waited for."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packagex_async import (
    DestinationError,
    DownloadedFile,
    DownloadGroupError,
    DownloadReport,
    ProgressEvent,
    ProgressKind,
    RetryPolicy,
)
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async.testing import Cut
from tests.faults.trial import Trial
from tests.support import names

Make = Callable[[Path, Path], None]

KINDS: dict[str, Make] = {
    "link": lambda path, elsewhere: path.symlink_to(elsewhere),
    "pipe": lambda path, _: os.mkfifo(path),
    "folder": lambda path, _: path.mkdir(),
}
LAYOUTS = ["folders", "{resource}/{id}", "{resource}/{id}/{id}"]


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of somebody else, outside the directory."""
    path = tmp_path_factory.mktemp("elsewhere") / "file"
    path.write_bytes(b"not yours")
    return path


def untouched(elsewhere: Path) -> bool:
    return names(elsewhere.parent) == ["file"] and elsewhere.read_bytes() == b"not yours"


async def interrupted(trial: Trial) -> Path:
    """A run that leaves a part of the CSV; the partial file."""
    trial.server.inject(Cut(60_000))
    async with trial.server.client(retry=RetryPolicy(attempts=1)) as px:
        with pytest.raises(DownloadGroupError):
            await px.exports.download(trial.export_id, trial.folder, artifacts="csv", resume=True)
    (part,) = trial.folder.glob(".*.part")
    return part


async def resumed(trial: Trial) -> DownloadedFile:
    """The CSV as the next run brings it."""
    async with trial.client() as px:
        report = await px.exports.download(trial.export_id, trial.folder, artifacts="csv", resume=True)
    file = report.files["csv"]
    assert file.path.read_bytes() == trial.content
    return file


async def synced(trial: Trial, **options: Any) -> dict[str, DownloadReport]:
    """The reports of a run over all exports, by their ids."""
    async with trial.client() as px:
        return {report.export_id: report async for report in px.exports.download_all(trial.folder, **options)}


def add_another(trial: Trial) -> str:
    """A second export that nothing is in the way of."""
    return trial.server.add_export(content={"csv": b"a,b\n"}).id


@pytest.mark.one_connection
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ["", ".json", ".draft", ".claim"])
async def test_beside_a_partial_file(trial: Trial, elsewhere: Path, kind: str, ending: str) -> None:
    """It is no partial file and no metadata of ours; the artifact arrives all the same."""
    part = await interrupted(trial)
    path = part.with_name(part.name + ending)
    path.unlink(missing_ok=True)
    KINDS[kind](path, elsewhere)
    await resumed(trial)
    assert untouched(elsewhere)
    # A folder is not removed, for it may hold something.
    left = [path.name] if kind == "folder" else []
    assert names(trial.folder) == sorted([*left, trial.path().name])


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("kind", [*KINDS, "dangling link"])
async def test_in_place_of_the_manifest(trial: Trial, elsewhere: Path, kind: str, resume: bool) -> None:
    """Nothing can be written down: an error that names it stops the run before anything is fetched."""
    if kind == "dangling link":
        (trial.folder / MANIFEST_NAME).symlink_to(elsewhere.parent / "absent")
    else:
        KINDS[kind](trial.folder / MANIFEST_NAME, elsewhere)
    with pytest.raises(DestinationError, match=f"{MANIFEST_NAME} is (a|not a) ") as caught:
        await synced(trial, resume=resume)
    assert caught.value.filename == str(trial.folder / MANIFEST_NAME)
    assert untouched(elsewhere)
    assert names(trial.folder) == [MANIFEST_NAME]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_in_place_of_the_target(trial: Trial, overwrite: bool) -> None:
    """A pipe is not opened: it is replaced if that is asked for, and else an error; the others arrive."""
    os.mkfifo(trial.path())
    report = await trial.report(artifacts=None, overwrite=overwrite)
    if overwrite:
        assert report.ok
    else:
        assert report.failures.keys() == ("csv",)
        assert "is not a regular file" in str(report.failures["csv"])


@pytest.mark.parametrize("resume", [False, True])
async def test_in_place_of_a_target_of_many(trial: Trial, resume: bool) -> None:
    """Only the export that it belongs to has a failure."""
    other = add_another(trial)
    os.mkfifo(trial.path())
    reports = await synced(trial, resume=resume)
    assert reports[other].ok
    assert reports[trial.export_id].failures.keys() == ("csv",)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
async def test_a_link_among_the_folders(trial: Trial, elsewhere: Path, layout: str, resume: bool) -> None:
    """Nothing is written, read or removed where it leads; other exports go on."""
    other = add_another(trial)
    resource = trial.server.exports[0].resource or ""
    link = trial.folder / (trial.export_id if layout == "folders" else resource)
    link.symlink_to(elsewhere.parent)
    (elsewhere.parent / f"{trial.export_id}.csv").write_bytes(trial.content)
    reports = await synced(trial, layout=layout, resume=resume)
    for report in reports.values():
        if layout == "folders" and report.export_id == other:
            assert report.ok
            continue
        assert report.files.keys() == ()
        for failure in report.failures:
            assert isinstance(failure, DestinationError)
            assert (failure.errno, f"{link} is a symbolic link" in str(failure)) == (errno.ELOOP, True)
    assert names(elsewhere.parent) == sorted(["file", f"{trial.export_id}.csv"])
    assert link.is_symlink()


@pytest.mark.parametrize("resume", [False, True])
async def test_a_file_among_the_folders(trial: Trial, resume: bool) -> None:
    """It stays; the export whose folder it should be has the failure, and no other."""
    other = add_another(trial)
    (trial.folder / trial.export_id).write_bytes(b"not yours")
    reports = await synced(trial, layout="folders", resume=resume)
    assert reports[other].ok
    assert len(reports[trial.export_id].failures) == 4
    for failure in reports[trial.export_id].failures:
        assert isinstance(failure, DestinationError)
        assert failure.errno == errno.ENOTDIR
    assert (trial.folder / trial.export_id).read_bytes() == b"not yours"


async def test_a_link_that_appears_during_the_download(trial: Trial, elsewhere: Path) -> None:
    """It is not followed, either, when the folder is made or the file is put in its place."""

    def lead_out(event: ProgressEvent) -> None:
        folder = trial.folder / trial.export_id
        if event.kind is ProgressKind.STARTED and not folder.is_symlink():
            folder.symlink_to(elsewhere.parent)

    (report,) = (await synced(trial, layout="folders", on_progress=lead_out, concurrency=1)).values()
    assert len(report.failures) == 4
    assert untouched(elsewhere)


async def test_the_directory_itself_is_a_link(trial: Trial, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The caller has named it: it is followed."""
    real = tmp_path_factory.mktemp("real")
    trial.folder /= "link"
    trial.folder.symlink_to(real)
    reports = await synced(trial, layout="folders")
    assert reports[trial.export_id].ok
    assert json.loads((real / MANIFEST_NAME).read_text().splitlines()[0])["path"].startswith(trial.export_id)


@pytest.mark.parametrize("resume", [False, True])
async def test_the_directory_is_a_file(trial: Trial, resume: bool) -> None:
    """Each artifact fails with the path; a run over all exports is stopped by it."""
    trial.folder /= "file"
    trial.folder.write_bytes(b"not yours")
    report = await trial.report(artifacts=None, resume=resume)
    assert [getattr(failure, "errno", None) for failure in report.failures] == [errno.ENOTDIR] * 4
    with pytest.raises(DestinationError, match=f"{trial.folder} is not a directory"):
        await synced(trial, resume=resume)
    assert trial.folder.read_bytes() == b"not yours"
