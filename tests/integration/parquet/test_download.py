"""The download of one artifact as Parquet: progress, cancellation, partial files of killed runs."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import Literal

import pytest

from packagex_async import (
    AsyncPackageX,
    DestinationError,
    DownloadGroupError,
    ProgressEvent,
    ProgressKind,
    RetryPolicy,
)
from packagex_async._partials.partial_metadata import save_metadata
from packagex_async.testing import Cut, Emulator, Encoded, Stall, WrongHash

CSV = b"id,name\n" + b"".join(b"%d,Ann\n" % number for number in range(20_000))


async def test_progress(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The events count the bytes of the artifact."""
    export = server.add_export(content={"csv": CSV})
    server.inject(Cut(1000))
    events: list[ProgressEvent] = []
    for _ in range(2):
        await px.exports.download(export.id, tmp_path, format="parquet", on_progress=events.append)
    kinds = [event.kind for event in events]
    assert (kinds[0], kinds[-1]) == (ProgressKind.STARTED, ProgressKind.KEPT)
    assert set(kinds) == set(ProgressKind) - {ProgressKind.FAILED}
    finished = next(event for event in events if event.kind is ProgressKind.FINISHED)
    assert (finished.received, finished.total, finished.attempt) == (len(CSV), len(CSV), 2)


@pytest.mark.parametrize("durability", [None, "fsync"])
async def test_cancellation(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, durability: Literal["fsync"] | None
) -> None:
    """A cancelled download leaves no file."""
    export = server.add_export(content={"csv": CSV})
    server.inject(Stall(1000))
    advanced = asyncio.Event()

    def on_progress(event: ProgressEvent) -> None:
        if event.kind is ProgressKind.ADVANCED:
            advanced.set()

    task = asyncio.create_task(
        px.exports.download(
            export.id,
            tmp_path,
            format="parquet",
            durability=durability,
            on_progress=on_progress,
        )
    )
    await advanced.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(tmp_path.iterdir()) == []


async def test_partial_file_of_a_killed_run(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The next run with `resume` removes the partial file."""
    export = server.add_export(content={"csv": CSV})
    partial = tmp_path / f".{export.id}.parquet.0123456789abcdef-1.part"
    partial.write_bytes(b"PAR1")
    resumable = partial.with_name(partial.name.replace("-1", "-2"))
    resumable.write_bytes(b"PAR1")
    save_metadata(resumable, {"length": 10, "algorithm": None})
    await px.exports.download(export.id, tmp_path, format="parquet", resume=True, durability="fsync")
    assert [path.name for path in tmp_path.iterdir()] == [f"{export.id}.parquet"]


async def test_duplicate_columns(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A warning names columns that occur more than once, and the line of the caller's code."""
    export = server.add_export(content={"csv": b"id,id\n1,2\n"})
    with pytest.warns(UserWarning, match="several columns have the same name: id") as warned:
        await px.exports.download(export.id, tmp_path, format="parquet")
    assert [warning.filename for warning in warned] == [__file__]


@pytest.mark.filterwarnings("error")
async def test_duplicate_columns_as_an_error(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """If warnings are errors, the warning is raised as it is, after the file is complete."""
    export = server.add_export(content={"csv": b"id,id\n1,2\n", "json": b"[]"})
    with pytest.raises(UserWarning, match="several columns have the same name: id"):
        await px.exports.download(export.id, tmp_path, format="parquet")
    with pytest.raises(UserWarning, match="several columns have the same name: id"):
        async for _ in px.exports.download_all(tmp_path / "all", format="parquet"):
            pass
    assert (tmp_path / f"{export.id}.parquet").exists()
    assert (tmp_path / "all" / f"{export.id}.parquet").exists()


async def test_partial_file_without_metadata(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The next run with `resume` also removes a partial file without metadata."""
    export = server.add_export(content={"csv": CSV})
    (tmp_path / f".{export.id}.parquet.0123456789abcdef-1.part").write_bytes(b"PAR1")
    await px.exports.download(export.id, tmp_path, format="parquet", resume=True)
    assert [path.name for path in tmp_path.iterdir()] == [f"{export.id}.parquet"]


async def test_existing_file_of_another_program(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A file of another program is replaced only with `overwrite`."""
    export = server.add_export(content={"csv": CSV})
    path = tmp_path / f"{export.id}.parquet"
    path.write_text("mine")
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export.id, tmp_path, format="parquet")
    assert isinstance(caught.value.report.failures["csv"], DestinationError)
    assert path.read_text() == "mine"
    report = await px.exports.download(export.id, tmp_path, format="parquet", overwrite=True)
    assert report.files["csv"].rows == 20_000


async def test_changed_file(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A single changed byte is found."""
    export = server.add_export(content={"csv": CSV})
    report = await px.exports.download(export.id, tmp_path, format="parquet")
    path = report.files["csv"].path
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export.id, tmp_path, format="parquet")
    assert "was changed" in str(caught.value.report.failures["csv"])
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["timestamp[s]", "date64"])
async def test_type_that_parquet_lacks(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, name: str
) -> None:
    """A second run keeps the file."""
    export = server.add_export(content={"csv": b"day\n2024-01-01\n"})
    for is_kept in (False, True):
        report = await px.exports.download(export.id, tmp_path, format="parquet", types={"day": name})
        assert report.files["csv"].kept is is_kept


async def test_size_after_decompression(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """`max_size` limits it."""
    export = server.add_export(content={"csv": CSV})
    server.inject(Encoded(), times=None)
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export.id, tmp_path, format="parquet", max_size=len(CSV) - 1)
    assert f"max_size={len(CSV) - 1}" in str(caught.value.report.failures["csv"])
    assert list(tmp_path.iterdir()) == []
    report = await px.exports.download(export.id, tmp_path, format="parquet", max_size=len(CSV))
    assert report.ok


@pytest.mark.parametrize(("last", "is_hash_wrong"), [(b"CANARY\n", False), (b"1,CANARY\n", True)])
async def test_secrecy(server: Emulator, tmp_path: Path, last: bytes, is_hash_wrong: bool) -> None:
    """No error shows a row, even with the local variables of all functions in its traceback."""
    export = server.add_export(content={"csv": CSV + last})
    if is_hash_wrong:
        server.inject(WrongHash(), times=None)
    async with server.client(retry=RetryPolicy(attempts=1)) as px:
        with pytest.raises(DownloadGroupError) as caught:
            await px.exports.download(export.id, tmp_path, format="parquet")
    failure = caught.value.report.failures["csv"]
    shown = traceback.TracebackException.from_exception(failure, capture_locals=True)
    assert "CANARY" not in "".join(shown.format())
    assert "CANARY" not in "".join(traceback.format_exception(caught.value))


async def test_resumption(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The bytes before the end of the connection are not requested again."""
    export = server.add_export(content={"csv": CSV})
    server.inject(Cut(len(CSV) // 2))
    report = await px.exports.download(export.id, tmp_path, format="parquet")
    assert report.files["csv"].resumed
    assert "Range" in server.requests[-1].headers
