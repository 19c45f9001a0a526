"""One artifact: ask for it, stream it, go on where it broke off, verify it, publish it."""

from __future__ import annotations

import errno
import sys
from contextlib import closing
from pathlib import Path

import attrs

from packagex_async import _logs
from packagex_async._context import ClientContext
from packagex_async._download.attempts import AttemptTracker
from packagex_async._download.options import DownloadOptions
from packagex_async._download.segment_workers import SegmentWorkers
from packagex_async._download.segments import Segment, SegmentQueue
from packagex_async._download.throughput import LARGE
from packagex_async._files.disk_errors import DiskError, destination_error
from packagex_async._files.operations import FileDigest
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.partial_writer import PartialFileWriter
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async._storage.object_metadata import NOTHING_KNOWN, ObjectMetadata, ResponseHead
from packagex_async._storage.response_check import Classification, Relation, classify
from packagex_async._storage.storage_errors import DownloadUrl, broken_off, contradiction, unusable, verify
from packagex_async._transport.storage_response import StorageResponse
from packagex_async._utils.byte_ranges import Chunk
from packagex_async._utils.decompression import BodyError, Decompressor
from packagex_async.errors import (
    ChecksumError,
    ConnectionFailedError,
    DestinationError,
    DownloadError,
    ExportGoneError,
    StorageError,
)
from packagex_async.report import DownloadedFile, OnProgress, ProgressEvent, ProgressKind, Verified

_RECALLED = "; an earlier run has left a partial file of it: pass resume=False to start again without that"
"""What to do if a host contradicts the metadata of a partial file, and the host is right."""


@attrs.define(kw_only=True, eq=False, repr=False)
class ArtifactDownload:
    """One artifact on its way to disk.

    Args:
        link: Where it is.
        links: Where fresh links come from.
        target: Where it goes.
        root: The directory that it must not lead out of, if that is not the one it goes to.
        context: What to work with.
        demands: What its caller demands.
        emit: Is told of every step, if anybody wants to know.
        occupied: Whether a file is there already that is not to be replaced unseen.
        left: Whether an earlier run may have left a part of it.
    """

    link: DownloadUrl
    links: DownloadUrls
    target: Path
    context: ClientContext
    demands: DownloadOptions
    root: Path | None = None
    emit: OnProgress | None = None
    occupied: bool = False
    left: bool = False
    _part: PartialFileWriter = attrs.field(init=False)
    _crew: SegmentWorkers = attrs.field(init=False)
    _tries: AttemptTracker = attrs.field(init=False)
    _began: float = attrs.field(init=False, default=0.0)
    _known: ObjectMetadata = attrs.field(init=False, default=NOTHING_KNOWN)
    _resumed: bool = attrs.field(init=False, default=False)
    _is_recalled: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._part = PartialFileWriter(
            self.context.disk, self.target, root=self.root, durable=self.demands.durable
        )
        self._crew = SegmentWorkers(
            self._bring, self.demands.segments, self.context.clock, self.context.limiter
        )
        self._tries = AttemptTracker.begin_with(self.context)

    async def run(self) -> DownloadedFile:
        """Bring the artifact to disk, trying again under the policy.

        Raises:
            DownloadError: It failed for good; the target is as it was.
            ExportGoneError: The export was deleted meanwhile.
        """
        self._began = self.context.clock.monotonic()
        try:
            async with self._part, self._crew:
                if self.left and self.demands.leftovers is not None:
                    await self._take_up(self.demands.leftovers)
                if self.occupied:
                    await self._part.start()
                file = await self._persist()
        except DiskError as error:
            raise self._refused(error) from error.cause
        self._emit(ProgressKind.KEPT if file.kept else ProgressKind.FINISHED, received=file.size)
        return file

    async def _take_up(self, leftovers: PartialIndex) -> None:
        memo = await self._part.take_up(leftovers, {"sha256"} if self.demands.sha256 else ())
        if memo is not None:
            self._known = ObjectMetadata.from_json(memo)
            self._is_recalled = True
            received = self._part.received
            # A partial that lacks nothing is asked about all the same: it may be of another object.
            self._divide(SegmentQueue(self._part.gaps() or [(received, received)]))
            self._tries.reached(received)

    def _divide(self, work: SegmentQueue) -> None:
        self._crew.begin(work, alone=not self._known.is_divisible or (self._known.length or 0) < LARGE)

    async def _persist(self) -> DownloadedFile:
        while True:
            try:
                async with self.context.limiter.place():
                    kept = await self._try()
                return kept or await self._conclude()
            except DownloadError as error:
                failure = error
            delay = await self._delay_after(failure)
            if delay is None:
                raise failure
            _logs.trying_again(failure, delay)
            self._emit(ProgressKind.RETRYING, received=self._part.received, delay=delay, error=failure)
            await self.context.clock.sleep(delay)

    async def _delay_after(self, failure: DownloadError) -> float | None:
        if isinstance(failure, ChecksumError):
            # Nothing of these bytes can be trusted, nor followed, nor what was declared with them.
            self._crew.distrust()
            self._known = ObjectMetadata(disputed_size=self._known.disputed_size)
            await self._part.start()
        if self._tries.wants_link(failure):
            try:
                self.link = await self.links.fresh(self.link)
            except ExportGoneError:
                await self._crew.dismiss()
                await self._part.start()
                raise
            self._crew.encourage()
            return 0.0
        return self._tries.delay_after(failure)

    async def _try(self) -> DownloadedFile | None:
        self._tries.begin()
        if self._part.received and self._known.is_resumable:
            self._resumed = True
            return await self._rest()
        return await self._whole()

    async def _whole(self) -> DownloadedFile | None:
        """Ask for everything; return the file that was there if it is to be kept."""
        with closing(await self.context.storage.get(self.link)) as answer:
            kept = await self._receive_whole(answer, self._classify(answer))
        return kept or await self._rest()

    async def _rest(self) -> DownloadedFile | None:
        """Ask for what is missing, and for everything where an answer does not follow what is here."""
        while (span := await self._crew.next_span()) is not None:
            try:
                kept, fits = await self._ask_for(span)
            finally:
                self._crew.work.release(span)
            if kept is not None:
                return kept
            if not fits:
                break
        else:
            return None
        self._crew.distrust()
        return await self._whole()

    async def _ask_for(self, span: Segment) -> tuple[DownloadedFile | None, bool]:
        """Request the bytes of `span`.

        Returns:
            The existing file if it is kept, and whether the response fits what is known.
        """
        with closing(await self._fetch(span)) as answer:
            found = self._classify(answer, span)
            match found.relation:
                case Relation.CONTINUES:
                    await self._receive_span(answer, span, found.end)
                case Relation.WHOLE | Relation.REPLACED:
                    return await self._receive_whole(answer, found), True
                case Relation.UNCONFIRMED:
                    return None, await self._is_unchanged()
                case _:
                    return None, found.relation is Relation.COMPLETE
        return None, True

    async def _is_unchanged(self) -> bool:
        """Request the last byte again: its response identifies the object, which a 416 may not."""
        length = self._known.length or 0
        last = Segment(length - 1, length)
        with closing(await self._fetch(last)) as answer:
            return self._classify(answer, last).relation is Relation.CONTINUES

    async def _bring(self, span: Segment) -> bool:
        with closing(await self._fetch(span)) as answer:
            found = self._classify(answer, span)
            if found.relation is not Relation.CONTINUES:
                return False
            await self._receive_span(answer, span, found.end)
            return True

    async def _fetch(self, span: Segment) -> StorageResponse:
        return await self.context.storage.get(self.link, self._known.range_headers(span.position, span.end))

    def _classify(self, answer: StorageResponse, span: Segment | None = None) -> Classification:
        head = ResponseHead.of(answer.status, answer.headers)
        return classify(self._known, head, None if span is None else span.position)

    async def _receive_span(self, answer: StorageResponse, span: Segment, end: int) -> None:
        self._crew.proved(span)
        await self._receive(answer, span, end)

    async def _receive_whole(self, answer: StorageResponse, found: Classification) -> DownloadedFile | None:
        if found.relation is Relation.CONTRADICTS:
            hint = _RECALLED if self._is_recalled else ""
            raise contradiction(self.link, f"{found.reason}{hint}", answer.status)
        await self._crew.dismiss()
        self._is_recalled = False
        self._known = known = found.metadata
        self._resumed = False
        self._emit(ProgressKind.STARTED)
        self._meets_demands(known.size)
        algorithms = known.algorithms | ({"sha256"} if self.demands.sha256 else set())
        # Asked for only where something is there: a wait here may cost the bytes that came with the head.
        if self.occupied and (there := await self.context.disk.measure(self.target, algorithms)):
            return self._kept(there)
        decoder = Decompressor(known.encoding, self.demands.max_size) if known.encoding else None
        memo = known.to_json() if self.demands.leftovers and known.is_resumable else None
        # A size that another response has declared is checked at the end: more bytes may come.
        await self._part.start(algorithms=algorithms, length=known.size, decoder=decoder, memo=memo)
        work = SegmentQueue(())
        span = work.hold(Segment(0, sys.maxsize if known.length is None else known.length))
        span.flows = True
        self._divide(work)
        self._crew.advanced(0)
        try:
            await self._receive(answer, span)
        finally:
            work.release(span)
        return None

    def _meets_demands(self, size: int | None) -> None:
        most = self.demands.max_size
        if most is not None and size is not None and size > most:
            raise unusable(self.link, f"it has {size} bytes or more, which is above max_size={most}")
        if self.demands.verified and self._known.wire_length is None and not self._known.hashes:
            raise unusable(self.link, "it declares neither length nor hash, and require_verification is set")

    async def _receive(self, answer: StorageResponse, span: Segment, end: int = sys.maxsize) -> None:
        try:
            # A body in chunks may be longer than the range that its head declares.
            while span.position < end and (block := await answer.read()):
                await self._write(block[: min(span.end, end) - span.position], span)
                if not span.left:
                    return
        except ConnectionFailedError as error:
            raise broken_off(self.link, self._known, self._part.received, error) from None
        except BodyError as error:
            raise self._unusable(error) from None
        if self._known.length is None:
            span.end = span.position
        elif span.left:
            raise broken_off(self.link, self._known, self._part.received)

    async def _write(self, block: Chunk, span: Segment) -> None:
        # Taken note of before any wait: another connection may take over the rest meanwhile.
        position = span.position
        span.position += len(block)
        await self._part.write(block, position)
        received = self._part.received
        self._meets_demands(None if self._known.encoding else received)
        self._tries.reached(received)
        self._emit(ProgressKind.ADVANCED, received=received)
        self._crew.advanced(received)

    async def _conclude(self) -> DownloadedFile:
        try:
            measured, verified = await self._part.publish(self._verify, overwrite=self.demands.overwrite)
        except BodyError as error:
            raise self._unusable(error) from None
        return self._file(measured, verified)

    def _verify(self, measured: FileDigest) -> Verified:
        return verify(
            self.link,
            self._known,
            received=measured.size if self._known.encoding is None else self._part.received,
            size=measured.size,
            digests_of=measured.of,
            start=measured.start,
        )

    def _unusable(self, error: BodyError) -> StorageError:
        return unusable(self.link, str(error))

    def _kept(self, there: FileDigest) -> DownloadedFile:
        known = self._known
        is_comparable = known.size is not None or bool(known.hashes)
        same = known.size in (None, there.size) and all(
            there.digests[name] == value for name, value in known.hashes
        )
        if not (is_comparable and same):
            told = f"{known.size} bytes" if known.size is not None else "of unknown length"
            raise self._destination_error(
                f"{self.target} is there already ({there.size} bytes) and is not the artifact ({told}): "
                "pass overwrite=True to replace it",
                errno.EEXIST,
            )
        return self._file(there, "checksum" if known.hashes else "length", kept=True)

    def _file(self, measured: FileDigest, verified: Verified, *, kept: bool = False) -> DownloadedFile:
        sha256 = measured.digests["sha256"].hex() if self.demands.sha256 else None
        return DownloadedFile(
            artifact=self.link.artifact,
            path=self.target,
            size=measured.size,
            verified=verified,
            sha256=sha256,
            attempts=self._tries.count,
            resumed=self._resumed,
            elapsed=self.context.clock.monotonic() - self._began,
            kept=kept,
        )

    def _refused(self, error: DiskError) -> DestinationError:
        return destination_error(error, export_id=self.link.export_id, artifact=self.link.artifact)

    def _destination_error(self, message: str, number: int | None) -> DestinationError:
        return DestinationError(
            message,
            export_id=self.link.export_id,
            artifact=self.link.artifact,
            filename=str(self.target),
            errno=number,
        )

    def _emit(
        self,
        kind: ProgressKind,
        *,
        received: int = 0,
        delay: float | None = None,
        error: DownloadError | None = None,
    ) -> None:
        if self.emit is None:
            return
        self.emit(
            ProgressEvent(
                kind=kind,
                export_id=self.link.export_id,
                artifact=self.link.artifact,
                received=received,
                total=self._known.wire_length,
                attempt=self._tries.count,
                delay=delay,
                error=error,
            )
        )
