"""Download of one export into a bucket."""

from __future__ import annotations

from packagex_async._bucket_sync.state import BucketState
from packagex_async._buckets.objects import BucketObjects
from packagex_async._context import ClientContext
from packagex_async._download.export import DownloadPlan
from packagex_async._files.layouts import flat
from packagex_async._polling.export_source import ExportSource
from packagex_async._sync.changes import CountRows, download_changed
from packagex_async._sync.entry_rules import ReusePolicy
from packagex_async.errors import DestinationError
from packagex_async.models import Export
from packagex_async.report import ByArtifact, DownloadReport, ProgressEvent, ProgressKind, StoredFile


async def download_to_bucket(
    export: Export,
    objects: BucketObjects,
    source: ExportSource,
    plan: DownloadPlan,
    context: ClientContext,
    count_rows: CountRows | None,
) -> DownloadReport[StoredFile]:
    """Download the artifacts of an export that are not in the bucket yet; return a report of all of them.

    Args:
        export: The export.
        objects: The bucket.
        source: Retrieves the export again, with its URLs.
        plan: The artifacts to download.
        context: The state of the client.
        count_rows: Counts the rows of objects; `None` does not count them.

    Raises:
        PackageXError: The export cannot be downloaded.
    """
    policy = ReusePolicy(resume=not plan.options.overwrite, verify=False, count_rows=count_rows is not None)
    state = BucketState(objects, flat, policy, plan.options, context.clock, read_only=plan.dry_run)
    try:
        local = await state.inspect(export, plan.artifacts)
        report = await download_changed(export, local, source, plan, context)
        if not plan.dry_run:
            await state.record(export, local, report)
        if plan.on_progress is not None:
            for event in local.kept_events(export.id):
                plan.on_progress(event)
        report = local.merge_into(report)
        if count_rows is not None and not plan.dry_run:
            report = await count_rows(report)
            await state.record_rows(export, local, report)
    except DestinationError as error:
        return _failed(export, plan, error)
    return report


def _failed(export: Export, plan: DownloadPlan, error: DestinationError) -> DownloadReport[StoredFile]:
    """Return the report of an export of which no object can be recorded."""
    failures = []
    for artifact in plan.artifacts:
        failure = DestinationError(
            error.args[0], export_id=export.id, artifact=artifact, filename=error.filename, errno=error.errno
        )
        failure.__cause__ = error.__cause__
        failures.append(failure)
        if plan.on_progress is not None:
            event = ProgressEvent(
                kind=ProgressKind.FAILED, export_id=export.id, artifact=artifact, error=failure
            )
            plan.on_progress(event)
    return DownloadReport(export_id=export.id, export=export, failures=ByArtifact(failures))
