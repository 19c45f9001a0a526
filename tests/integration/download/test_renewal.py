"""Expired URLs are renewed, and deleted exports are reported."""

from __future__ import annotations

import os
from pathlib import Path

import attrs
import pytest

from packagex_async import (
    Artifact,
    AsyncPackageX,
    DownloadGroupError,
    ExportGoneError,
    LinkExpiredError,
)
from packagex_async.testing import (
    Cut,
    Emulator,
    Expired,
)
from tests.integration.download.interrupted import (
    SIZE,
    add_export,
    interrupt_download,
)
from tests.support import NO_BACKOFF, names
from tests.transfer_modes import use_transfer_mode


@pytest.fixture(autouse=True, params=["aiohttp", "buffer_reader", "pipe_reader"])
def transfer_mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test through aiohttp and with each reader; requests of segments are not counted here."""
    use_transfer_mode(request.param, monkeypatch)


async def test_trap_13_one_renewal_for_all_artifacts(server: Emulator, tmp_path: Path) -> None:
    """Four artifacts share one renewal, and each resumes."""
    export_id = add_export(server, **{artifact.value: os.urandom(SIZE) for artifact in Artifact})
    for artifact in Artifact:
        server.inject(Cut(60_000, artifact=artifact.value))
        server.inject(Expired(artifact=artifact.value))
    async with server.client(retry=NO_BACKOFF) as px:
        report = await px.exports.download(export_id, tmp_path)
    assert all(file.resumed for file in report.files)
    assert [request.host for request in server.requests].count("api") <= 1 + 2
    for artifact, file in report.files.items():
        assert file.path.read_bytes() == server.content(export_id, artifact)


async def test_trap_13_second_refusal_is_final(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A refusal directly after a renewal is final; after new bytes, another renewal follows."""
    export_id = add_export(server)
    for _ in range(3):
        server.inject(Cut(20_000))
        server.inject(Expired())
    await px.exports.download(export_id, tmp_path, artifacts="csv")
    assert [request.host for request in server.requests].count("api") == 1 + 3
    server.inject(Expired(), times=None)
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export_id, tmp_path / "other", artifacts="csv")
    assert isinstance(caught.value.report.failures["csv"], LinkExpiredError)


async def test_trap_13_deleted_export_is_reported(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """An export deleted during the download raises `ExportGoneError` and leaves no partial file."""
    export_id = add_export(server)
    export = await px.exports.retrieve(export_id, include_csv=True, include_json=True)
    await interrupt_download(server, tmp_path, export_id)
    server.delete_export(export_id)
    with pytest.raises(ExportGoneError):
        await px.exports.download(export, tmp_path, resume=True)
    assert names(tmp_path) == []
    with pytest.raises(ExportGoneError):
        async with px.exports.stream(export, "csv"):
            pytest.fail("the export does not exist")


async def test_artifact_missing_after_renewal_has_failed(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """`missing` lists artifacts without a URL at the start; an artifact without a new URL has failed."""
    export_id = add_export(server, csv=b"a,b\n", json=b"[]")
    export = await px.exports.retrieve(export_id, include_csv=True, include_json=True)
    export = attrs.evolve(export, csv_error_url=server.url_for(export_id, "csv_error"), json_url=None)
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export, tmp_path)
    report = caught.value.report
    assert report.files.keys() == (Artifact.CSV,)
    assert report.failures.keys() == (Artifact.CSV_ERROR,)
    assert report.missing == (Artifact.JSON, Artifact.CSV_SANITIZED)


async def test_stream_renews_its_url(server: Emulator, px: AsyncPackageX) -> None:
    """An expired URL is renewed before the first byte."""
    export_id = add_export(server)
    server.inject(Expired())
    async with px.exports.stream(export_id, "csv") as body:
        assert b"".join([block async for block in body]) == server.content(export_id, "csv")
