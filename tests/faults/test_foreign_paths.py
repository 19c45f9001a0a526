"""Foreign paths: other files at the paths of our files are not followed, opened or waited for."""

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
from tests.faults.scenario import DownloadScenario
from tests.support import names

CreatePath = Callable[[Path, Path], None]

KINDS: dict[str, CreatePath] = {
    "link": lambda path, outside: path.symlink_to(outside),
    "pipe": lambda path, _: os.mkfifo(path),
    "folder": lambda path, _: path.mkdir(),
}
LAYOUTS = ["folders", "{resource}/{id}", "{resource}/{id}/{id}"]


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a file outside the directory."""
    path = tmp_path_factory.mktemp("outside") / "file"
    path.write_bytes(b"other")
    return path


def is_untouched(outside: Path) -> bool:
    """Return whether the file outside the directory is unchanged and alone."""
    return names(outside.parent) == ["file"] and outside.read_bytes() == b"other"


async def leave_partial(scenario: DownloadScenario) -> Path:
    """Interrupt a download; return the path of its partial file."""
    scenario.server.inject(Cut(60_000))
    async with scenario.server.client(retry=RetryPolicy(attempts=1)) as px:
        with pytest.raises(DownloadGroupError):
            await px.exports.download(scenario.export_id, scenario.folder, artifacts="csv", resume=True)
    (part,) = scenario.folder.glob(".*.part")
    return part


async def resume_download(scenario: DownloadScenario) -> DownloadedFile:
    """Download the CSV in the next run, and check its content."""
    async with scenario.client() as px:
        report = await px.exports.download(scenario.export_id, scenario.folder, artifacts="csv", resume=True)
    file = report.files["csv"]
    assert file.path.read_bytes() == scenario.content
    return file


async def sync(scenario: DownloadScenario, **options: Any) -> dict[str, DownloadReport]:
    """Download all exports; return their reports by id."""
    async with scenario.client() as px:
        return {
            report.export_id: report async for report in px.exports.download_all(scenario.folder, **options)
        }


def add_export(scenario: DownloadScenario) -> str:
    """Add a second export that nothing obstructs; return its id."""
    return scenario.server.add_export(content={"csv": b"a,b\n"}).id


@pytest.mark.one_connection
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ["", ".json", ".draft", ".claim"])
async def test_beside_partial_file(scenario: DownloadScenario, outside: Path, kind: str, ending: str) -> None:
    """Links, pipes and folders are not used as partial files or metadata, and the artifact arrives."""
    part = await leave_partial(scenario)
    path = part.with_name(part.name + ending)
    path.unlink(missing_ok=True)
    KINDS[kind](path, outside)
    await resume_download(scenario)
    assert is_untouched(outside)
    # A folder is not removed, because it may contain files.
    left = [path.name] if kind == "folder" else []
    assert names(scenario.folder) == sorted([*left, scenario.path().name])


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("kind", [*KINDS, "dangling link"])
async def test_at_path_of_manifest(
    scenario: DownloadScenario, outside: Path, kind: str, resume: bool
) -> None:
    """An error that names the path ends the run before anything is downloaded."""
    if kind == "dangling link":
        (scenario.folder / MANIFEST_NAME).symlink_to(outside.parent / "absent")
    else:
        KINDS[kind](scenario.folder / MANIFEST_NAME, outside)
    with pytest.raises(DestinationError, match=f"{MANIFEST_NAME} is (a|not a) ") as caught:
        await sync(scenario, resume=resume)
    assert caught.value.filename == str(scenario.folder / MANIFEST_NAME)
    assert is_untouched(outside)
    assert names(scenario.folder) == [MANIFEST_NAME]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_pipe_at_target(scenario: DownloadScenario, overwrite: bool) -> None:
    """A pipe is never opened: with `overwrite` it is replaced, else the artifact fails; the others arrive."""
    os.mkfifo(scenario.path())
    report = await scenario.run(artifacts=None, overwrite=overwrite)
    if overwrite:
        assert report.ok
    else:
        assert report.failures.keys() == ("csv",)
        assert "is not a regular file" in str(report.failures["csv"])


@pytest.mark.parametrize("resume", [False, True])
async def test_pipe_at_target_during_sync(scenario: DownloadScenario, resume: bool) -> None:
    """Only the export of that target fails."""
    other = add_export(scenario)
    os.mkfifo(scenario.path())
    reports = await sync(scenario, resume=resume)
    assert reports[other].ok
    assert reports[scenario.export_id].failures.keys() == ("csv",)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
async def test_link_at_path_of_folder(
    scenario: DownloadScenario, outside: Path, layout: str, resume: bool
) -> None:
    """Nothing is written, read or removed at the target of the link, and other exports arrive."""
    other = add_export(scenario)
    resource = scenario.server.exports[0].resource or ""
    link = scenario.folder / (scenario.export_id if layout == "folders" else resource)
    link.symlink_to(outside.parent)
    (outside.parent / f"{scenario.export_id}.csv").write_bytes(scenario.content)
    reports = await sync(scenario, layout=layout, resume=resume)
    for report in reports.values():
        if layout == "folders" and report.export_id == other:
            assert report.ok
            continue
        assert report.files.keys() == ()
        for failure in report.failures:
            assert isinstance(failure, DestinationError)
            assert (failure.errno, f"{link} is a symbolic link" in str(failure)) == (errno.ELOOP, True)
    assert names(outside.parent) == sorted(["file", f"{scenario.export_id}.csv"])
    assert link.is_symlink()


@pytest.mark.parametrize("resume", [False, True])
async def test_file_at_path_of_folder(scenario: DownloadScenario, resume: bool) -> None:
    """The file stays, and only the export of that folder fails."""
    other = add_export(scenario)
    (scenario.folder / scenario.export_id).write_bytes(b"other")
    reports = await sync(scenario, layout="folders", resume=resume)
    assert reports[other].ok
    assert len(reports[scenario.export_id].failures) == 4
    for failure in reports[scenario.export_id].failures:
        assert isinstance(failure, DestinationError)
        assert failure.errno == errno.ENOTDIR
    assert (scenario.folder / scenario.export_id).read_bytes() == b"other"


async def test_link_appears_during_download(scenario: DownloadScenario, outside: Path) -> None:
    """A link is not followed when the folder is created or the file is moved into it."""

    def replace_folder(event: ProgressEvent) -> None:
        folder = scenario.folder / scenario.export_id
        if event.kind is ProgressKind.STARTED and not folder.is_symlink():
            folder.symlink_to(outside.parent)

    (report,) = (await sync(scenario, layout="folders", on_progress=replace_folder, concurrency=1)).values()
    assert len(report.failures) == 4
    assert is_untouched(outside)


async def test_directory_is_link(
    scenario: DownloadScenario, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A link that the caller passes as the directory is followed."""
    real = tmp_path_factory.mktemp("real")
    scenario.folder /= "link"
    scenario.folder.symlink_to(real)
    reports = await sync(scenario, layout="folders")
    assert reports[scenario.export_id].ok
    assert json.loads((real / MANIFEST_NAME).read_text().splitlines()[0])["path"].startswith(
        scenario.export_id
    )


@pytest.mark.parametrize("resume", [False, True])
async def test_directory_is_file(scenario: DownloadScenario, resume: bool) -> None:
    """Each artifact fails with the path in the error; `download_all` is ended by the same error."""
    scenario.folder /= "file"
    scenario.folder.write_bytes(b"other")
    report = await scenario.run(artifacts=None, resume=resume)
    assert [getattr(failure, "errno", None) for failure in report.failures] == [errno.ENOTDIR] * 4
    with pytest.raises(DestinationError, match=f"{scenario.folder} is not a directory"):
        await sync(scenario, resume=resume)
    assert scenario.folder.read_bytes() == b"other"
