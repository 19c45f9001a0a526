"""Downloads of changed artifacts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import attrs

from packagex_async import Artifact, AsyncPackageX, Bucket, DownloadedFile, Export, ExportStatus
from packagex_async._bucket_sync.state import BucketState
from packagex_async._buckets.bucket import objects_of
from packagex_async._download.plans import make_plan
from packagex_async._files.layouts import flat
from packagex_async._sync.changes import ChangedDownloads, download_changed
from packagex_async._sync.entry_rules import ReusePolicy
from packagex_async._sync.local_state import LocalArtifacts
from packagex_async._sync.manifest import Manifest
from packagex_async._sync.runner import make_downloads
from packagex_async.exports import context_of
from packagex_async.testing import Emulator

PLAN: dict[str, Any] = {
    "artifacts": None,
    "concurrency": 4,
    "on_progress": None,
    "overwrite": False,
    "digest": None,
    "resume": True,
    "require_verification": False,
    "max_size": None,
    "durability": None,
    "segments": 1,
}


async def test_nothing_has_changed() -> None:
    """No URL is requested if no artifact is new or changed."""
    export = Export(id="exp_1", status=ExportStatus.COMPLETED)
    local = LocalArtifacts(missing=set(Artifact))
    nothing: Any = None

    class Plan:
        artifacts = tuple(Artifact)

    plan: Any = Plan()
    report = await download_changed(export, local, nothing, plan, nothing)
    assert (report.export_id, report.files, report.missing) == ("exp_1", (), ())


async def test_limited_artifacts(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The artifacts of an export are counted until they are in the manifest."""
    export = await px.exports.retrieve(server.add_export(rows=1).id)
    plan = make_plan(tmp_path, **PLAN)
    downloads = make_downloads(
        px.exports._source,
        plan,
        context_of(px.exports),
        new_state=None,
        manifest=Manifest(tmp_path),
        layout="flat",
        resume=True,
        verify=False,
        count_rows=None,
        exclusions=None,
    )
    counts = []

    @asynccontextmanager
    async def slots(count: int) -> AsyncGenerator[None, None]:
        counts.append(count)
        yield
        counts.append((tmp_path / "packagex-manifest.jsonl").read_text().count("sha256"))

    limited = downloads.with_options(attrs.evolve(plan.options, sha256=True), slots)
    report = await limited.download(export)
    file = report.files["csv"]
    assert isinstance(file, DownloadedFile)
    assert file.sha256 is not None
    assert limited.state.target(export, Artifact.CSV).name == str(file.path)
    assert [file.kept for file in (await downloads.download(export)).files] == [True, True]
    await limited.aclose()
    await downloads.aclose()
    assert counts[0] == 2
    assert len(counts) == 2


async def test_limited_artifacts_in_a_bucket(server: Emulator, px: AsyncPackageX) -> None:
    """A bucket keeps its objects with other options."""
    export = await px.exports.retrieve(server.add_export(rows=1).id)
    objects = objects_of(Bucket("memory://"))
    plan = make_plan(Bucket("memory://"), **PLAN)
    policy = ReusePolicy(resume=True, verify=False)
    state = BucketState(objects, flat, policy, plan.options, context_of(px.exports).clock)
    downloads = ChangedDownloads(state, px.exports._source, plan, context_of(px.exports), count_rows=None)
    limited = downloads.with_options(plan.options, lambda _: nullcontext())
    report = await limited.download(export)
    assert limited.state.target(export, Artifact.CSV).name == f"memory:///{export.id}.csv"
    assert report.ok
    assert all(file.kept for file in (await downloads.download(export)).files)
