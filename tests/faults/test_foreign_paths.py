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
from packagex_async._sync.manifest import NAME
from packagex_async.testing import Cut
from tests.faults.scenario import DownloadScenario
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


async def interrupted(scenario: DownloadScenario) -> Path:
    """A run that leaves a part of the CSV; the partial file."""
    scenario.server.inject(Cut(60_000))
    async with scenario.server.client(retry=RetryPolicy(attempts=1)) as px:
        with pytest.raises(DownloadGroupError):
            await px.exports.download(scenario.export_id, scenario.folder, artifacts="csv", resume=True)
    (part,) = scenario.folder.glob(".*.part")
    return part


async def resumed(scenario: DownloadScenario) -> DownloadedFile:
    """The CSV as the next run brings it."""
    async with scenario.client() as px:
        report = await px.exports.download(scenario.export_id, scenario.folder, artifacts="csv", resume=True)
    file = report.files["csv"]
    assert file.path.read_bytes() == scenario.content
    return file


async def synced(scenario: DownloadScenario, **options: Any) -> dict[str, DownloadReport]:
    """The reports of a run over all exports, by their ids."""
    async with scenario.client() as px:
        return {
            report.export_id: report async for report in px.exports.download_all(scenario.folder, **options)
        }


def add_another(scenario: DownloadScenario) -> str:
    """A second export that nothing is in the way of."""
    return scenario.server.add_export(content={"csv": b"a,b\n"}).id


@pytest.mark.one_connection
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ["", ".json", ".draft", ".claim"])
async def test_beside_a_partial_file(
    scenario: DownloadScenario, elsewhere: Path, kind: str, ending: str
) -> None:
    """It is no partial file and no metadata of ours; the artifact arrives all the same."""
    part = await interrupted(scenario)
    path = part.with_name(part.name + ending)
    path.unlink(missing_ok=True)
    KINDS[kind](path, elsewhere)
    await resumed(scenario)
    assert untouched(elsewhere)
    # A folder is not removed, for it may hold something.
    left = [path.name] if kind == "folder" else []
    assert names(scenario.folder) == sorted([*left, scenario.path().name])


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("kind", [*KINDS, "dangling link"])
async def test_in_place_of_the_manifest(
    scenario: DownloadScenario, elsewhere: Path, kind: str, resume: bool
) -> None:
    """Nothing can be written down: an error that names it stops the run before anything is fetched."""
    if kind == "dangling link":
        (scenario.folder / NAME).symlink_to(elsewhere.parent / "absent")
    else:
        KINDS[kind](scenario.folder / NAME, elsewhere)
    with pytest.raises(DestinationError, match=f"{NAME} is (a|not a) ") as caught:
        await synced(scenario, resume=resume)
    assert caught.value.filename == str(scenario.folder / NAME)
    assert untouched(elsewhere)
    assert names(scenario.folder) == [NAME]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_in_place_of_the_target(scenario: DownloadScenario, overwrite: bool) -> None:
    """A pipe is not opened: it is replaced if that is asked for, and else an error; the others arrive."""
    os.mkfifo(scenario.path())
    report = await scenario.run(artifacts=None, overwrite=overwrite)
    if overwrite:
        assert report.ok
    else:
        assert report.failures.keys() == ("csv",)
        assert "is not a regular file" in str(report.failures["csv"])


@pytest.mark.parametrize("resume", [False, True])
async def test_in_place_of_a_target_of_many(scenario: DownloadScenario, resume: bool) -> None:
    """Only the export that it belongs to has a failure."""
    other = add_another(scenario)
    os.mkfifo(scenario.path())
    reports = await synced(scenario, resume=resume)
    assert reports[other].ok
    assert reports[scenario.export_id].failures.keys() == ("csv",)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
async def test_a_link_among_the_folders(
    scenario: DownloadScenario, elsewhere: Path, layout: str, resume: bool
) -> None:
    """Nothing is written, read or removed where it leads; other exports go on."""
    other = add_another(scenario)
    resource = scenario.server.exports[0].resource or ""
    link = scenario.folder / (scenario.export_id if layout == "folders" else resource)
    link.symlink_to(elsewhere.parent)
    (elsewhere.parent / f"{scenario.export_id}.csv").write_bytes(scenario.content)
    reports = await synced(scenario, layout=layout, resume=resume)
    for report in reports.values():
        if layout == "folders" and report.export_id == other:
            assert report.ok
            continue
        assert report.files.keys() == ()
        for failure in report.failures:
            assert isinstance(failure, DestinationError)
            assert (failure.errno, f"{link} is a symbolic link" in str(failure)) == (errno.ELOOP, True)
    assert names(elsewhere.parent) == sorted(["file", f"{scenario.export_id}.csv"])
    assert link.is_symlink()


@pytest.mark.parametrize("resume", [False, True])
async def test_a_file_among_the_folders(scenario: DownloadScenario, resume: bool) -> None:
    """It stays; the export whose folder it should be has the failure, and no other."""
    other = add_another(scenario)
    (scenario.folder / scenario.export_id).write_bytes(b"not yours")
    reports = await synced(scenario, layout="folders", resume=resume)
    assert reports[other].ok
    assert len(reports[scenario.export_id].failures) == 4
    for failure in reports[scenario.export_id].failures:
        assert isinstance(failure, DestinationError)
        assert failure.errno == errno.ENOTDIR
    assert (scenario.folder / scenario.export_id).read_bytes() == b"not yours"


async def test_a_link_that_appears_during_the_download(scenario: DownloadScenario, elsewhere: Path) -> None:
    """It is not followed, either, when the folder is made or the file is put in its place."""

    def lead_out(event: ProgressEvent) -> None:
        folder = scenario.folder / scenario.export_id
        if event.kind is ProgressKind.STARTED and not folder.is_symlink():
            folder.symlink_to(elsewhere.parent)

    (report,) = (await synced(scenario, layout="folders", on_progress=lead_out, concurrency=1)).values()
    assert len(report.failures) == 4
    assert untouched(elsewhere)


async def test_the_directory_itself_is_a_link(
    scenario: DownloadScenario, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The caller has named it: it is followed."""
    real = tmp_path_factory.mktemp("real")
    scenario.folder /= "link"
    scenario.folder.symlink_to(real)
    reports = await synced(scenario, layout="folders")
    assert reports[scenario.export_id].ok
    assert json.loads((real / NAME).read_text().splitlines()[0])["path"].startswith(scenario.export_id)


@pytest.mark.parametrize("resume", [False, True])
async def test_the_directory_is_a_file(scenario: DownloadScenario, resume: bool) -> None:
    """Each artifact fails with the path; a run over all exports is stopped by it."""
    scenario.folder /= "file"
    scenario.folder.write_bytes(b"not yours")
    report = await scenario.run(artifacts=None, resume=resume)
    assert [getattr(failure, "errno", None) for failure in report.failures] == [errno.ENOTDIR] * 4
    with pytest.raises(DestinationError, match=f"{scenario.folder} is not a directory"):
        await synced(scenario, resume=resume)
    assert scenario.folder.read_bytes() == b"not yours"
