"""The download of one artifact: request, receive, resume, verify, publish."""

from __future__ import annotations

import errno
import sys
from contextlib import closing

from packagex_async._context import ClientContext
from packagex_async._download.attempts import AttemptTracker
from packagex_async._download.options import DownloadOptions
from packagex_async._download.reporter import ArtifactReporter
from packagex_async._download.segment_workers import SegmentWorkers
from packagex_async._download.segments import Segment
from packagex_async._files.operations import FileDigest
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.targets import Target
from packagex_async._storage.body_check import verify_body
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async._storage.object_metadata import NOTHING_KNOWN, ObjectMetadata
from packagex_async._storage.response_check import Classification, Relation, classify
from packagex_async._storage.response_head import ResponseHead
from packagex_async._storage.storage_errors import (
    contradiction_error,
    interrupted_body_error,
    unusable_body_error,
)
from packagex_async._transport.storage_response import StorageResponse
from packagex_async._utils.decompression import DecompressionError, Decompressor
from packagex_async.errors import (
    ChecksumError,
    ConnectionFailedError,
    DestinationError,
    DownloadError,
    ExportGoneError,
    StorageError,
)
from packagex_async.report import OnProgress, ProgressKind, StoredFile, Verified

_EARLIER_RUN_HINT = (
    "; an earlier run has left a partial file of the artifact: pass resume=False to start again without it"
)
"""The advice if a host contradicts the metadata of a partial file, because the host may be right."""


def is_artifact(url: DownloadUrl, known: ObjectMetadata, target: str, existing: FileDigest) -> bool:
    """Return whether the metadata shows that the existing file or object `target` is the artifact.

    If the metadata contains neither length nor hash, or only the hash of a compressed artifact, only a
    download can show that.

    Raises:
        DestinationError: It is another file or object.
    """
    is_other_length = known.size not in (None, existing.size)
    has_same_hashes = all(existing.digests[name] == value for name, value in known.hashes)
    # A hash may be that of the compressed bytes.
    is_other_content = not has_same_hashes and known.encoding is None
    if is_other_length or is_other_content:
        expected = f"{known.size} bytes" if known.size is not None else "of unknown length"
        raise DestinationError(
            f"{target} exists ({existing.size} bytes) and is not the artifact ({expected}): "
            "pass overwrite=True to replace it",
            export_id=url.export_id,
            artifact=url.artifact,
            filename=target,
            errno=errno.EEXIST,
        )
    return has_same_hashes and (known.size is not None or bool(known.hashes))


class ArtifactDownload:
    """The download of one artifact.

    Args:
        url: The URL of the artifact.
        urls: The URLs of the export, which can be refreshed.
        target: The file or object that the artifact is written to.
        context: The state of the client.
        options: The options of the caller.
        on_progress: Called at every step.
        exists: Whether `target` exists, which is compared with the artifact and never replaced.
        has_partial: Whether an earlier run may have left a partial file.
    """

    def __init__(
        self,
        *,
        url: DownloadUrl,
        urls: DownloadUrls,
        target: Target,
        context: ClientContext,
        options: DownloadOptions,
        on_progress: OnProgress | None = None,
        exists: bool = False,
        has_partial: bool = False,
    ) -> None:
        self.url = url
        self.urls = urls
        self.target = target
        self.context = context
        self.options = options
        self.exists = exists
        self.has_partial = has_partial
        self._writer = target.new_writer(context, durable=options.durable)
        self._workers = SegmentWorkers(
            self._transfer_segment,
            options.segments,
            context.clock,
            context.limiter,
            context.tuning,
            window=self._writer.window,
        )
        self._attempts = AttemptTracker(context)
        self._reporter = ArtifactReporter(url, target, self._attempts, context, options, on_progress)
        self._known = NOTHING_KNOWN
        self._resumed = self._is_from_earlier_run = False

    async def run(self) -> StoredFile:
        """Download the artifact, with further attempts under the retry policy.

        Raises:
            DownloadError: All attempts failed; the target is unchanged.
            DiskError: The disk refused; the target is unchanged.
            BucketError: The bucket refused; the target is unchanged.
            ExportGoneError: The export was deleted meanwhile.
        """
        async with self._writer, self._workers:
            if self.has_partial and self.options.partial_index is not None:
                await self._resume_partial(self.options.partial_index)
            if self.exists:
                await self._writer.start()
            while True:
                try:
                    async with self.context.limiter.slot():
                        file = await self._attempt()
                    file = file or await self._publish()
                    break
                except DownloadError as error:
                    failure = error
                await self._prepare_next_attempt(failure)
        self._reporter.emit(ProgressKind.KEPT if file.kept else ProgressKind.FINISHED, received=file.size)
        return file

    async def _resume_partial(self, index: PartialIndex) -> None:
        stored = await self._writer.resume(index, {"sha256"} if self.options.sha256 else ())
        if stored is not None:
            self._use_metadata(ObjectMetadata.from_json(stored))
            self._is_from_earlier_run = True
            received = self._writer.received
            # Even a partial file without gaps needs a request: it may belong to another object.
            self._workers.start(self._writer.gaps() or [(received, received)], parallel=self._is_divisible)
            self._attempts.reached(received)

    @property
    def _is_divisible(self) -> bool:
        return self._known.is_divisible and (self._known.length or 0) >= self.context.tuning.parallel_min_size

    async def _prepare_next_attempt(self, failure: DownloadError) -> None:
        """Wait as long as the retry policy says; raise `failure` if it is final."""
        if isinstance(failure, ChecksumError):
            # Neither the bytes nor the metadata that came with them can be trusted.
            self._workers.disable_segments()
            self._use_metadata(ObjectMetadata(disputed_size=self._known.disputed_size))
            await self._writer.start()
        if self._attempts.wants_new_url(failure):
            await self._refresh_url()
            await self._attempts.wait(failure, 0.0, self._report_retry)
        else:
            await self._attempts.wait_after(failure, self._report_retry)

    def _report_retry(self, failure: DownloadError, delay: float) -> None:
        self._reporter.emit(ProgressKind.RETRYING, received=self._writer.received, delay=delay, error=failure)

    async def _refresh_url(self) -> None:
        try:
            self.url = await self.urls.refresh(self.url)
        except ExportGoneError:
            await self._workers.stop()
            await self._writer.start()
            raise
        self._workers.forget_failures()

    async def _attempt(self) -> StoredFile | None:
        """Request everything that is missing.

        Returns:
            The existing file if it is kept, or `None` when all bytes were received.
        """
        self._attempts.begin()
        is_range = self._resumed = bool(self._writer.received and self._known.is_resumable)
        while True:
            segment = await self._workers.next_segment() if is_range else None
            if is_range and segment is None:
                return None
            try:
                with closing(await self.context.storage.get(self.url, self._headers(segment))) as response:
                    file, fits = await self._receive_response(response, segment)
            finally:
                if segment is not None:
                    self._workers.release(segment)
            if file is not None:
                return file
            if not fits:
                self._workers.disable_segments()
            # A response that does not fit leads to one request for the whole object.
            is_range = fits

    def _headers(self, segment: Segment | None) -> dict[str, str]:
        return {} if segment is None else self._known.range_headers(segment.position, segment.end)

    def _classify(self, response: StorageResponse, segment: Segment | None) -> Classification:
        head = ResponseHead.parse(response.status, response.headers)
        return classify(self._known, head, None if segment is None else segment.position)

    async def _receive_response(
        self, response: StorageResponse, segment: Segment | None
    ) -> tuple[StoredFile | None, bool]:
        """Receive the bytes of a response.

        Returns:
            The existing file if it is kept, and whether the response fits what is known about the object.
        """
        found = self._classify(response, segment)
        if segment is None:
            if found.relation is Relation.CONTRADICTS:
                hint = _EARLIER_RUN_HINT if self._is_from_earlier_run else ""
                raise contradiction_error(self.url, f"{found.reason}{hint}", response.status)
            return await self._receive_object(response, found.metadata), True
        match found.relation:
            case Relation.CONTINUES:
                self._workers.confirm_ranges(segment)
                await self._receive(response, segment, found.end)
                return None, True
            case Relation.WHOLE | Relation.REPLACED:
                return await self._receive_object(response, found.metadata), True
            case Relation.UNCONFIRMED:
                return None, await self._is_unchanged()
            case _:
                return None, found.relation is Relation.COMPLETE

    async def _is_unchanged(self) -> bool:
        """Request the last byte again: its response identifies the object, which a 416 may not."""
        length = self._known.length or 0
        last = Segment(length - 1, length)
        with closing(await self.context.storage.get(self.url, self._headers(last))) as response:
            return self._classify(response, last).relation is Relation.CONTINUES

    async def _transfer_segment(self, segment: Segment) -> bool:
        """Transfer `segment` on a further connection; return whether the response was the requested range."""
        with closing(await self.context.storage.get(self.url, self._headers(segment))) as response:
            found = self._classify(response, segment)
            if found.relation is not Relation.CONTINUES:
                return False
            self._workers.confirm_ranges(segment)
            await self._receive(response, segment, found.end)
            return True

    async def _receive_object(self, response: StorageResponse, metadata: ObjectMetadata) -> StoredFile | None:
        """Receive the object from its first byte; return the existing file instead if it is the same."""
        await self._workers.stop()
        self._use_metadata(metadata)
        self._resumed = self._is_from_earlier_run = False
        self._reporter.emit(ProgressKind.STARTED)
        self._check_limits(metadata.size)
        algorithms = metadata.algorithms | ({"sha256"} if self.options.sha256 else set())
        # Only with an existing file: a wait here may lose the bytes that came with the head of the response.
        if self.exists and (existing := await self.target.digest(algorithms)) and self._is_kept(existing):
            verified: Verified = "checksum" if self._known.hashes else "length"
            return self._reporter.file(existing, verified, kept=True)
        # The length that another response declared is checked at the end, because more bytes may come.
        await self._writer.start(
            algorithms=algorithms,
            length=metadata.size,
            decompressor=Decompressor(metadata.encoding, self.options.max_size)
            if metadata.encoding
            else None,
            metadata=metadata.to_json() if self.options.partial_index and metadata.is_resumable else None,
        )
        segment = self._workers.start_with_response(metadata.length, parallel=self._is_divisible)
        try:
            await self._receive(response, segment)
        finally:
            self._workers.release(segment)
        return None

    def _use_metadata(self, metadata: ObjectMetadata) -> None:
        self._known = metadata
        self._reporter.total = metadata.wire_length

    def _check_limits(self, size: int | None) -> None:
        self.options.check_limits(self.url, self._known, size)

    async def _receive(self, response: StorageResponse, segment: Segment, end: int = sys.maxsize) -> None:
        try:
            # A chunked body may be longer than the range in the head of the response.
            while segment.position < end and (chunk := await response.read(piped=self._writer.accepts_pipes)):
                chunk = chunk[: min(segment.end, end) - segment.position]
                # The position advances before any wait: another connection may take over the rest meanwhile.
                await self._writer.write(chunk, segment.advance(len(chunk)))
                self._report_progress(self._writer.received)
                if not segment.remaining:
                    return
        except ConnectionFailedError as error:
            # If all bytes have arrived, only the end of a chunked body is missing.
            if self._writer.received != self._known.wire_length:
                raise self._interrupted(error) from None
        except DecompressionError as error:
            raise self._unusable(str(error)) from None
        if self._known.length is None:
            segment.finish()
        elif segment.remaining:
            raise self._interrupted()

    def _report_progress(self, received: int) -> None:
        known = self._known
        # A body without a length of its own may be longer than the object, or have no end.
        if known.length is None and known.wire_length is not None and received > known.wire_length:
            raise self._interrupted()
        self._check_limits(None if known.encoding else received)
        self._attempts.reached(received)
        self._reporter.emit(ProgressKind.ADVANCED, received=received)
        self._workers.advance(received, self._writer.waited)

    def _unusable(self, reason: str) -> StorageError:
        return unusable_body_error(self.url, reason)

    def _interrupted(self, error: ConnectionFailedError | None = None) -> DownloadError:
        return interrupted_body_error(self.url, self._writer.received, self._known.wire_length, error)

    async def _publish(self) -> StoredFile:
        try:
            digest, verified = await self._writer.publish(self._verify, overwrite=self.options.overwrite)
        except DecompressionError as error:
            raise self._unusable(str(error)) from None
        return self._reporter.file(digest, verified, resumed=self._resumed)

    def _verify(self, digest: FileDigest) -> Verified:
        return verify_body(
            self.url,
            self._known,
            received=digest.size if self._known.encoding is None else self._writer.received,
            size=digest.size,
            digests_of=digest.for_algorithm,
            start=digest.start,
        )

    def _is_kept(self, existing: FileDigest) -> bool:
        return is_artifact(self.url, self._known, self.target.name, existing)
