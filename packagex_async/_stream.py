"""One artifact's bytes as they come, checked at their end, without touching the disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing

from packagex_async import _digests, _log
from packagex_async._decode import BodyError, Decoder
from packagex_async._http import Http, StorageAnswer
from packagex_async._intake import Block
from packagex_async._links import Links
from packagex_async._spans import Span
from packagex_async._storage import Declared, Link, broken_off, promised, unusable, verify
from packagex_async._tries import Tries
from packagex_async.errors import ConnectionFailedError, DownloadError


@asynccontextmanager
async def open_stream(
    link: Link, links: Links, http: Http, tries: Tries
) -> AsyncGenerator[AsyncGenerator[bytes, None], None]:
    """The artifact's bytes; a body that breaks off is gone on with where it surely is of the same content.

    Raises:
        DownloadError: It is refused, breaks off, or is not what the storage host declares.
        ExportGoneError: The export was deleted meanwhile.
    """
    async with AsyncExitStack() as answers:
        source = _Source(link, links, http, tries, answers)
        await source.open()
        async with aclosing(source.content()) as content:
            yield content


class _Source:
    """What of the artifact has been handed out, and the answer that what follows comes from."""

    def __init__(self, link: Link, links: Links, http: Http, tries: Tries, answers: AsyncExitStack) -> None:
        self._link = link
        self._links = links
        self._http = http
        self._tries = tries
        self._answers = answers
        self._declared = Declared()
        self._size = 0

    async def open(self) -> None:
        """Ask for what follows, trying again under the policy."""
        while True:
            self._tries.begin()
            try:
                self._answer = await self._ask()
                return
            except DownloadError as error:
                failure = error
            await self._wait_after(failure)

    async def content(self) -> AsyncGenerator[bytes, None]:
        """The decoded bytes; their end means that the declared length and hash hold."""
        decoder = Decoder() if self._declared.encoding else None
        arrived, decoded = (_digests.new(self._declared.algorithm or "md5") for _ in range(2))
        try:
            async with aclosing(self._blocks()) as blocks:
                async for block in blocks:
                    if self._declared.algorithm:
                        arrived.update(block)
                    for piece in decoder.feed(block) if decoder else (block,):
                        if decoder and self._declared.algorithm:
                            decoded.update(piece)
                        yield bytes(piece)
            if decoder is not None:
                decoder.end()
        except BodyError as error:
            raise unusable(self._link, str(error)) from None
        verify(self._link, self._declared, self._size, {arrived.digest(), decoded.digest()})

    async def _blocks(self) -> AsyncGenerator[Block, None]:
        while True:
            try:
                while block := await self._answer.read():
                    self._size += len(block)
                    self._tries.reached(self._size)
                    yield block
                if self._declared.length in (None, self._size):
                    return
                failure = broken_off(self._link, self._declared, self._size)
            except ConnectionFailedError as error:
                failure = broken_off(self._link, self._declared, self._size, error)
            if self._size and not self._declared.resumable:
                raise failure
            await self._wait_after(failure)
            await self.open()

    async def _ask(self) -> StorageAnswer:
        await self._answers.aclose()
        if not self._size:
            answer = self._answers.enter_context(closing(await self._http.fetch(self._link)))
            self._declared = promised(self._link, answer.status, answer.headers)
            return answer
        headers = self._declared.range_of(Span(self._size, self._declared.length or 0))
        answer = self._answers.enter_context(closing(await self._http.fetch(self._link, headers)))
        if not self._declared.continued_by(answer.status, answer.headers, self._size):
            raise unusable(self._link, f"it does not follow the {self._size} bytes that were handed out")
        return answer

    async def _wait_after(self, failure: DownloadError) -> None:
        if self._tries.wants_link(failure):
            self._link = await self._links.fresh(self._link)
            return
        delay = self._tries.delay_after(failure)
        if delay is None:
            raise failure
        _log.trying_again(failure, delay)
        await self._tries.retries.clock.sleep(delay)
