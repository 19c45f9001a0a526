"""Streams the bytes of one artifact, without touching the disk, and verifies them at the end."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing

import attrs

from packagex_async._context import ClientContext
from packagex_async._download.artifact_stream import ArtifactStream
from packagex_async._download.attempts import AttemptTracker, OnRetry
from packagex_async._files.operations import START_SIZE
from packagex_async._storage.body_check import verify_body
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async._storage.object_metadata import NOTHING_KNOWN, ObjectMetadata
from packagex_async._storage.response_check import PAGE, Classification, Relation, classify, is_page
from packagex_async._storage.response_head import ResponseHead
from packagex_async._storage.storage_errors import (
    contradiction_error,
    incomplete_body_error,
    interrupted_body_error,
    unusable_body_error,
)
from packagex_async._transport.storage_response import StorageResponse
from packagex_async._utils import hashing
from packagex_async._utils.byte_ranges import Chunk
from packagex_async._utils.decompression import DecompressionError, Decompressor
from packagex_async.errors import ArtifactNotOfferedError, ConnectionFailedError, DownloadError
from packagex_async.models import Artifact, Export
from packagex_async.report import Verified


@asynccontextmanager
async def open_stream(
    export: Export, artifact: Artifact, urls: DownloadUrls, context: ClientContext
) -> AsyncGenerator[ArtifactStream, None]:
    """Open a stream of the artifact. A broken transfer is resumed if the object is certainly the same.

    Args:
        export: The export.
        artifact: The artifact.
        urls: The URLs of the export, which can be refreshed.
        context: The state of the client.

    Raises:
        ArtifactNotOfferedError: The export does not offer the artifact.
        DownloadError: The storage host refuses, the body breaks off, or it does not have the declared length
            or hash.
        ExportGoneError: The export was deleted meanwhile.
    """
    url = urls.get(artifact)
    if url is None:
        raise ArtifactNotOfferedError("the export does not offer it", export_id=export.id, artifact=artifact)
    async with AsyncExitStack() as responses:
        attempts = AttemptTracker(context)
        source = ResumableBody(url, urls, context, responses, attempts)
        await source.open()
        async with aclosing(source.content()) as chunks:
            yield ArtifactStream(
                export_id=url.export_id, artifact=url.artifact, size=source.size, chunks=chunks
            )


class _BodyCheck:
    """Decodes the body of one object, verifies it, and holds back bytes until they may be yielded.

    Args:
        url: The URL that was requested.
        metadata: The metadata of the object.

    Attributes:
        verified: How the body was verified; known at its end.
    """

    def __init__(self, url: DownloadUrl, metadata: ObjectMetadata) -> None:
        self._url = url
        self._metadata = metadata
        self._decoder = Decompressor(metadata.encoding) if metadata.encoding else None
        self._arrived, self._decoded = (
            {name: hashing.new_hasher(name) for name in metadata.algorithms} for _ in range(2)
        )
        self.verified: Verified = "none"
        self._received = self._size = 0
        self._held = b""
        self._is_start_checked = bool(metadata.hashes)

    def feed(self, chunk: Chunk) -> Iterator[bytes]:
        """Yield the decoded bytes of `chunk`.

        Raises:
            DecompressionError: The chunk cannot be decoded.
            IncompleteBodyError: There are more bytes than declared.
        """
        self._received += len(chunk)
        for digest in self._arrived.values():
            digest.update(chunk)
        for piece in self._decoder.feed(chunk) if self._decoder else (chunk,):
            for digest in self._decoded.values() if self._decoder else ():
                digest.update(piece)
            self._size += len(piece)
            self._held += piece
            if self._held and self._may_yield():
                yield self._held
                self._held = b""

    def finish(self) -> bytes:
        """Check the complete body against the metadata; return the bytes that are still held back.

        Raises:
            DecompressionError: The compressed data is truncated.
            DownloadError: The body does not have the declared length or hash, or it is a web page.
        """
        if self._decoder is not None:
            self._decoder.end()
        self.verified = verify_body(
            self._url,
            self._metadata,
            received=self._received,
            size=self._size,
            digests_of=lambda name: {self._arrived[name].digest(), self._decoded[name].digest()},
            start=b"" if self._is_start_checked else self._held,
        )
        return self._held

    def _may_yield(self) -> bool:
        # Without a hash, the first bytes are held back until they show that this is not a web page.
        if not self._is_start_checked:
            if len(self._held) < START_SIZE:
                return False
            if is_page(self._held):
                raise DecompressionError(PAGE)
            self._is_start_checked = True
        # The last bytes are held back until the body is verified: a reader that knows the size considers the
        # body complete when they arrive.
        expected = self._metadata.size
        if expected is not None and self._size > expected:
            raise incomplete_body_error(self._url, self._size, expected)
        return self._size != expected


class ResumableBody:
    """The body of an artifact. If a response breaks off, the body continues in another response.

    Args:
        url: The URL of the artifact.
        urls: The URLs of the export, which can be refreshed.
        context: The state of the client.
        responses: Owns the open response.
        attempts: Counts the attempts.
        on_retry: Called with the failure of an attempt, and the seconds until the next one.

    Attributes:
        is_resumed: Whether an interrupted transfer was continued.
    """

    def __init__(
        self,
        url: DownloadUrl,
        urls: DownloadUrls,
        context: ClientContext,
        responses: AsyncExitStack,
        attempts: AttemptTracker,
        on_retry: OnRetry | None = None,
    ) -> None:
        self.is_resumed: bool = False
        self._url = url
        self._urls = urls
        self._storage = context.storage
        self._attempts = attempts
        self._responses = responses
        self._on_retry = on_retry
        self._known = NOTHING_KNOWN
        self._received = 0
        self._skip = 0
        self._end = sys.maxsize

    @property
    def size(self) -> int | None:
        """The number of bytes after decompression, or `None` if it is unknown."""
        return self._known.size

    @property
    def metadata(self) -> ObjectMetadata:
        """The metadata of the object."""
        return self._known

    @property
    def verified(self) -> Verified:
        """How the body was verified; known at its end."""
        return self._check.verified

    @property
    def received(self) -> int:
        """The number of bytes received so far, before decompression."""
        return self._received

    async def open(self) -> None:
        """Request the remaining bytes, with further attempts under the retry policy."""
        while True:
            self._attempts.begin()
            try:
                self._response = await self._request()
                return
            except DownloadError as error:
                failure = error
            await self._wait_after(failure)

    async def content(self) -> AsyncGenerator[bytes, None]:
        """Yield the decoded bytes. The iteration ends after the declared length and hashes were checked."""
        try:
            async with aclosing(self._chunks()) as chunks:
                async for chunk in chunks:
                    for piece in self._check.feed(chunk):
                        yield piece
            if held := self._check.finish():
                yield held
        except DecompressionError as error:
            raise unusable_body_error(self._url, str(error)) from None

    async def _chunks(self) -> AsyncGenerator[Chunk, None]:
        while True:
            try:
                while not self._is_complete and (chunk := await self._next_chunk()):
                    self._received += len(chunk)
                    self._attempts.reached(self._received)
                    yield chunk
                if self._known.length is None or self._is_complete:
                    return
                failure = interrupted_body_error(self._url, self._received, self._known.wire_length)
            except ConnectionFailedError as error:
                if self._received == self._known.wire_length:
                    # All bytes have arrived. Only the end of a chunked body is missing.
                    return
                failure = interrupted_body_error(self._url, self._received, self._known.wire_length, error)
            if self._received and not self._known.is_recognizable:
                raise failure
            await self._wait_after(failure)
            self.is_resumed |= self._received > 0
            await self.open()

    async def _next_chunk(self) -> Chunk:
        """Return the next bytes that were not yielded before, or none at the end of the response."""
        # A chunked body may be longer than the range in the head of the response.
        while self._received < self._end and (chunk := await self._response.read()):
            if chunk := chunk[self._skipped(len(chunk)) :][: self._end - self._received]:
                return chunk
        return b""

    @property
    def _is_complete(self) -> bool:
        return self._received == self._known.length

    def _skipped(self, size: int) -> int:
        """Return how many of the next `size` bytes were yielded before."""
        skipped = min(self._skip, size)
        self._skip -= skipped
        return skipped

    async def _request(self) -> StorageResponse:
        if not self._received:
            response, found = await self._get(None)
            if found.relation is Relation.CONTRADICTS:
                raise contradiction_error(self._url, found.reason, response.status)
            self._known = self._with_known_size(found.metadata)
            self._check = _BodyCheck(self._url, self._known)
            self._end = sys.maxsize
            return response
        if self._known.is_resumable:
            response, found = await self._get(self._received)
            if found.relation is Relation.CONTINUES:
                self._skip, self._end = 0, found.end
                return response
            if found.relation is not Relation.CONTRADICTS:
                return self._continue_from_start(response, found)
        return self._continue_from_start(*await self._get(None))

    def _with_known_size(self, metadata: ObjectMetadata) -> ObjectMetadata:
        """Return the metadata of a response with the size that the first response has declared."""
        size = self._known.size
        if size is None or metadata.size == size:
            return metadata
        if metadata.size is None:
            return attrs.evolve(metadata, size=size)
        reason = f"declared {size} bytes first and {metadata.size} bytes now"
        raise contradiction_error(self._url, reason)

    def _continue_from_start(self, response: StorageResponse, found: Classification) -> StorageResponse:
        """Use a response that contains the object from its first byte, if it is certainly the same object."""
        if found.relation is Relation.CONTRADICTS:
            raise contradiction_error(self._url, found.reason, response.status)
        if not (found.is_confirmed and found.metadata.is_recognizable):
            raise unusable_body_error(
                self._url, f"it does not continue the {self._received} bytes that were received"
            )
        self._skip, self._end = self._received, sys.maxsize
        return response

    async def _get(self, offset: int | None) -> tuple[StorageResponse, Classification]:
        await self._responses.aclose()
        headers = {} if offset is None else self._known.range_headers(offset, self._known.length or offset)
        response = self._responses.enter_context(closing(await self._storage.get(self._url, headers)))
        head = ResponseHead.parse(response.status, response.headers)
        return response, classify(self._known, head, offset)

    async def _wait_after(self, failure: DownloadError) -> None:
        if self._attempts.wants_new_url(failure):
            self._url = await self._urls.refresh(self._url)
            if self._on_retry is not None:
                self._on_retry(failure, 0.0)
            return
        await self._attempts.wait_after(failure, self._on_retry)
