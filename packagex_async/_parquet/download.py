"""The download of one CSV artifact as a Parquet file: request, convert, resume, verify, publish."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, aclosing

import attrs
import pyarrow as pa

from packagex_async._arrow.csv_decoder import CsvArrowDecoder
from packagex_async._context import ClientContext
from packagex_async._download.attempts import AttemptTracker
from packagex_async._download.options import DownloadOptions
from packagex_async._download.reporter import ArtifactReporter
from packagex_async._download.stream import ResumableBody
from packagex_async._files.operations import FileDigest
from packagex_async._parquet.parquet_file import ParquetFile
from packagex_async._parquet.resources import Resources
from packagex_async._parquet.source import ExistingParquet, Source, has_types, read_existing
from packagex_async._parquet.writer import ParquetWriter
from packagex_async._partials.targets import Target
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async._storage.object_metadata import ObjectMetadata
from packagex_async.errors import DestinationError, DownloadError, MalformedRowError
from packagex_async.models import Export
from packagex_async.report import OnProgress, ProgressKind, StoredFile


@attrs.define(kw_only=True, eq=False, repr=False)
class ParquetDownload:
    """The download of one CSV artifact as a Parquet file.

    A partial file is never kept, because it depends on the state of the conversion.

    Args:
        export: The export.
        url: The URL of the artifact.
        urls: The URLs of the export, which can be refreshed.
        target: The file or object that the Parquet file is written to.
        context: The state of the client.
        options: The options of the caller.
        on_progress: Called at every step.
        exists: Whether `target` exists. It is compared with the artifact, and never replaced.
        has_partial: Whether an earlier run may have left a partial file.
        types: The types of columns.
        resources: The memory and the threads.
        on_schema: Called with the schema, when the file is complete or a row is malformed.
        on_duplicates: Called with the names of columns that occur more than once, when the file is complete.
    """

    export: Export
    url: DownloadUrl
    urls: DownloadUrls
    target: Target
    context: ClientContext
    options: DownloadOptions
    on_progress: OnProgress | None
    exists: bool
    has_partial: bool
    types: Mapping[str, pa.DataType]
    resources: Resources
    on_schema: Callable[[pa.Schema], object]
    on_duplicates: Callable[[list[str]], object]
    _attempts: AttemptTracker = attrs.field(init=False)
    _reporter: ArtifactReporter = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._attempts = AttemptTracker(self.context)
        # The SHA-256 of a Parquet file is always computed: the file is small, compared with the artifact.
        options = attrs.evolve(self.options, sha256=True)
        self._reporter = ArtifactReporter(
            self.url, self.target, self._attempts, self.context, options, self.on_progress
        )

    async def run(self) -> StoredFile:
        """Download the artifact, with further attempts under the retry policy.

        Raises:
            MalformedRowError: A row is malformed, or a cell does not have the type of its column.
            DownloadError: All attempts failed; the target is unchanged.
            DiskError: The file cannot be written; the target is unchanged.
            ExportGoneError: The export was deleted meanwhile.
        """
        if self.has_partial and self.options.partial_index is not None:
            await self.target.run(self.target.remove_partials, self.options.partial_index)
        while True:
            try:
                async with self.context.limiter.slot():
                    file = await self._attempt()
                break
            except DownloadError as error:
                # Tools that report errors often show the local variables of a traceback, here the contents.
                failure = error.with_traceback(None)
            await self._attempts.wait_after(failure, self._on_retry)
        if file.kept:
            self._reporter.emit(ProgressKind.KEPT, received=file.size)
        else:
            self._reporter.emit(ProgressKind.FINISHED, received=self._reporter.received)
        return file

    async def _attempt(self) -> StoredFile:
        async with AsyncExitStack() as responses:
            body = ResumableBody(self.url, self.urls, self.context, responses, self._attempts, self._on_retry)
            await body.open()
            self._reporter.total = body.metadata.wire_length
            self._reporter.emit(ProgressKind.STARTED)
            self.options.check_limits(self.url, body.metadata, body.metadata.size)
            if self.exists:
                return await self._kept(body.metadata)
            return await self._convert(body)

    async def _convert(self, body: ResumableBody) -> StoredFile:
        decoder = CsvArrowDecoder(self.types)
        file = ParquetFile(self.target.new_output(), decoder, self.export.id, self.url.artifact)
        try:
            digest = await self._write(body, file)
        except MalformedRowError:
            self.on_schema(file.schema)
            raise
        self.on_schema(file.schema)
        if decoder.duplicates:
            self.on_duplicates(decoder.duplicates)
        return self._reporter.file(
            digest, body.verified, rows=file.rows, source_sha256=file.source_sha256, resumed=body.is_resumed
        )

    async def _write(self, body: ResumableBody, file: ParquetFile) -> FileDigest:
        size = 0
        total = body.metadata.size
        async with ParquetWriter(self.target, file, self.resources) as writer:
            async with aclosing(body.content()) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
                    self.options.check_limits(self.url, body.metadata, size)
                    await writer.write(chunk, None if total is None else total - size)
                    self._reporter.emit(ProgressKind.ADVANCED, received=body.received)
            # The end of the body was reached, so it is verified.
            return await writer.publish(
                lambda: self._source(body, file).to_metadata(self.export),
                overwrite=self.options.overwrite,
                durable=self.options.durable,
            )

    def _source(self, body: ResumableBody, file: ParquetFile) -> Source:
        return Source.of(self.export, self.url.artifact, body.metadata, file.source_sha256, file.source_size)

    async def _kept(self, current: ObjectMetadata) -> StoredFile:
        digest = await self.target.digest({"sha256"})
        existing = await self.target.run(read_existing, self.target.open)
        if digest is not None and existing is not None and (source := existing.source) is not None:
            verified = source.verify(self.export.id, self.url.artifact, current)
            if verified is not None and await self._is_intact(existing):
                self.on_schema(existing.schema)
                return self._reporter.file(
                    digest, verified, rows=existing.rows, source_sha256=source.sha256, kept=True
                )
        raise DestinationError(
            f"{self.target.name} exists and was changed, or was not written from the artifact with the same "
            "types: pass overwrite=True to replace it",
            export_id=self.url.export_id,
            artifact=self.url.artifact,
            filename=self.target.name,
            errno=errno.EEXIST,
        )

    async def _is_intact(self, existing: ExistingParquet) -> bool:
        content = existing.content
        return (
            content is not None
            and has_types(existing.schema, self.types)
            and await self.target.run(content.is_in, self.target.open)
        )

    def _on_retry(self, failure: DownloadError, delay: float) -> None:
        received = self._reporter.received
        self._reporter.emit(ProgressKind.RETRYING, received=received, delay=delay, error=failure)
