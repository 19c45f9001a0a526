"""The bytes of one artifact as they arrive, verified at their end, without touching the disk."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing

from packagex_async import _logs
from packagex_async._context import ClientContext
from packagex_async._download.attempts import AttemptTracker
from packagex_async._files.operations import START_SIZE
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async._storage.object_metadata import NOTHING_KNOWN, ObjectMetadata, ResponseHead
from packagex_async._storage.response_check import PAGE, Classification, Relation, classify, is_page
from packagex_async._storage.storage_errors import DownloadUrl, broken_off, contradiction, unusable, verify
from packagex_async._transport.storage_response import StorageResponse
from packagex_async._utils import hashing
from packagex_async._utils.byte_ranges import Chunk
from packagex_async._utils.decompression import BodyError, Decompressor
from packagex_async.errors import ConnectionFailedError, DownloadError


@asynccontextmanager
async def open_stream(
    link: DownloadUrl, links: DownloadUrls, context: ClientContext
) -> AsyncGenerator[AsyncGenerator[bytes, None], None]:
    """Open the artifact's bytes. A body that breaks off is continued if the rest is of the same content.

    Raises:
        DownloadError: It is refused, breaks off, or is not what the storage host declares.
        ExportGoneError: The export was deleted meanwhile.
    """
    async with AsyncExitStack() as answers:
        source = ResumableBody(link, links, context, answers)
        await source.open()
        async with aclosing(source.content()) as content:
            yield content


class _BodyCheck:
    """Decodes the body of one object and computes its digests."""

    def __init__(self, metadata: ObjectMetadata) -> None:
        self._decoder = Decompressor(metadata.encoding) if metadata.encoding else None
        self._arrived, self._decoded = (
            {name: hashing.new(name) for name in metadata.algorithms} for _ in range(2)
        )
        self._received = self._size = 0
        # Without a hash, the first bytes are held back until they tell a web page from an artifact.
        self._held: bytes | None = None if metadata.hashes else b""

    def feed(self, block: Chunk) -> Iterator[bytes]:
        """Yield what `block` decodes to.

        Raises:
            BodyError: It cannot be decoded.
        """
        self._received += len(block)
        for digest in self._arrived.values():
            digest.update(block)
        for piece in self._decoder.feed(block) if self._decoder else (block,):
            for digest in self._decoded.values() if self._decoder else ():
                digest.update(piece)
            self._size += len(piece)
            if released := self._release(bytes(piece)):
                yield released

    def finish(self, link: DownloadUrl, metadata: ObjectMetadata) -> bytes:
        """Check the complete body against `metadata`; return the bytes that are still held back.

        Raises:
            BodyError: Its compressed data breaks off.
            DownloadError: It is not what the storage host declares.
        """
        if self._decoder is not None:
            self._decoder.end()
        held = self._held or b""
        verify(
            link,
            metadata,
            received=self._received,
            size=self._size,
            digests_of=lambda name: {self._arrived[name].digest(), self._decoded[name].digest()},
            start=held,
        )
        return held

    def _release(self, piece: bytes) -> bytes:
        if self._held is None:
            return piece
        held = self._held + piece
        if len(held) < START_SIZE:
            self._held = held
            return b""
        if is_page(held):
            raise BodyError(PAGE)
        self._held = None
        return held


class ResumableBody:
    """The bytes that were handed out so far, and the response that the next ones come from."""

    def __init__(
        self, link: DownloadUrl, links: DownloadUrls, context: ClientContext, answers: AsyncExitStack
    ) -> None:
        self._link = link
        self._links = links
        self._storage = context.storage
        self._tries = AttemptTracker.begin_with(context)
        self._answers = answers
        self._known = NOTHING_KNOWN
        self._received = 0
        self._skip = 0
        self._end = sys.maxsize

    async def open(self) -> None:
        """Request the bytes that follow, trying again under the policy."""
        while True:
            self._tries.begin()
            try:
                self._answer = await self._ask()
                return
            except DownloadError as error:
                failure = error
            await self._wait_after(failure)

    async def content(self) -> AsyncGenerator[bytes, None]:
        """Yield the decoded bytes; the end of them means that the declared length and hashes hold."""
        try:
            async with aclosing(self._blocks()) as blocks:
                async for block in blocks:
                    for piece in self._check.feed(block):
                        yield piece
            if held := self._check.finish(self._link, self._known):
                yield held
        except BodyError as error:
            raise unusable(self._link, str(error)) from None

    async def _blocks(self) -> AsyncGenerator[Chunk, None]:
        while True:
            try:
                while not self._is_complete and (block := await self._next_block()):
                    self._received += len(block)
                    self._tries.reached(self._received)
                    yield block
                if self._known.length is None or self._is_complete:
                    return
                failure = broken_off(self._link, self._known, self._received)
            except ConnectionFailedError as error:
                failure = broken_off(self._link, self._known, self._received, error)
            if self._received and not self._known.is_recognizable:
                raise failure
            await self._wait_after(failure)
            await self.open()

    @property
    def _is_complete(self) -> bool:
        return self._received == self._known.length

    async def _next_block(self) -> Chunk:
        """Return the next bytes that were not handed out before, or none at the end of the response."""
        # A body in chunks may be longer than the range that its head declares.
        while self._received < self._end and (block := await self._answer.read()):
            if block := block[self._skipped(len(block)) :][: self._end - self._received]:
                return block
        return b""

    def _skipped(self, size: int) -> int:
        """Return how many of the next `size` bytes were handed out before."""
        skipped = min(self._skip, size)
        self._skip -= skipped
        return skipped

    async def _ask(self) -> StorageResponse:
        if not self._received:
            answer, found = await self._get(None)
            if found.relation is Relation.CONTRADICTS:
                raise contradiction(self._link, found.reason, answer.status)
            self._known = found.metadata
            self._check = _BodyCheck(self._known)
            self._end = sys.maxsize
            return answer
        if self._known.is_resumable:
            answer, found = await self._get(self._received)
            if found.relation is Relation.CONTINUES:
                self._skip, self._end = 0, found.end
                return answer
            if found.relation is not Relation.CONTRADICTS:
                return self._skipping(answer, found)
        return self._skipping(*await self._get(None))

    def _skipping(self, answer: StorageResponse, found: Classification) -> StorageResponse:
        """Use a response that carries the object from its first byte, if it is certainly the same object."""
        if found.relation is Relation.CONTRADICTS:
            raise contradiction(self._link, found.reason, answer.status)
        if not (found.is_confirmed and found.metadata.is_recognizable):
            raise unusable(self._link, f"it does not follow the {self._received} bytes that were handed out")
        self._skip, self._end = self._received, sys.maxsize
        return answer

    async def _get(self, offset: int | None) -> tuple[StorageResponse, Classification]:
        await self._answers.aclose()
        headers = {} if offset is None else self._known.range_headers(offset, self._known.length or offset)
        answer = self._answers.enter_context(closing(await self._storage.get(self._link, headers)))
        head = ResponseHead.of(answer.status, answer.headers)
        return answer, classify(self._known, head, offset)

    async def _wait_after(self, failure: DownloadError) -> None:
        if self._tries.wants_link(failure):
            self._link = await self._links.fresh(self._link)
            return
        delay = self._tries.delay_after(failure)
        if delay is None:
            raise failure
        _logs.trying_again(failure, delay)
        await self._tries.retries.clock.sleep(delay)
