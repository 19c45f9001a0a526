"""One artifact's bytes as they come, checked at their end, without touching the disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from packagex_async import _digests
from packagex_async._decode import BodyError, Decoder
from packagex_async._http import Http, StorageAnswer
from packagex_async._links import Links
from packagex_async._storage import Declared, Link, broken_off, promised, unusable, verify
from packagex_async._tries import Tries
from packagex_async.errors import ConnectionFailedError, DownloadError


@asynccontextmanager
async def open_stream(
    link: Link, links: Links, http: Http, tries: Tries
) -> AsyncGenerator[AsyncIterator[bytes], None]:
    """The artifact's bytes; asking for it is tried again under the policy, a body that has begun is not.

    Raises:
        DownloadError: It is refused, breaks off, or is not what the storage host declares.
        ExportGoneError: The export was deleted meanwhile.
    """
    async with AsyncExitStack() as stack:
        while True:
            tries.begin()
            try:
                answer = await stack.enter_async_context(http.fetch(link))
                break
            except DownloadError as error:
                failure = error
            if tries.wants_link(failure):
                link = await links.fresh(link)
                continue
            delay = tries.delay_after(failure)
            if delay is None:
                raise failure
            await tries.retries.clock.sleep(delay)
        declared = promised(link, answer.status, answer.headers)
        yield await stack.enter_async_context(aclosing(_checked(link, answer, declared)))


async def _checked(link: Link, answer: StorageAnswer, declared: Declared) -> AsyncGenerator[bytes, None]:
    decoder = Decoder() if declared.encoding else None
    arrived, decoded = (_digests.new(declared.algorithm or "md5") for _ in range(2))
    size = 0
    try:
        async for block in answer.blocks():
            size += len(block)
            if declared.algorithm:
                arrived.update(block)
            if decoder is None:
                yield block
                continue
            for piece in decoder.feed(block):
                decoded.update(piece)
                yield piece
        if decoder is not None:
            decoder.end()
    except ConnectionFailedError as error:
        raise broken_off(link, declared, size, error) from None
    except BodyError as error:
        raise unusable(link, str(error)) from None
    verify(link, declared, size, {arrived.digest(), decoded.digest()})
