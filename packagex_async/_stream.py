"""One artifact's bytes as they come, checked at their end, without touching the disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from packagex_async import _digests
from packagex_async._http import Http, StorageAnswer
from packagex_async._storage import Declared, Link, broken_off, promised, verify
from packagex_async._tries import Tries
from packagex_async.errors import ConnectionFailedError, DownloadError
from packagex_async.retry import Clock, Retries, RetryPolicy


@asynccontextmanager
async def open_stream(
    link: Link, http: Http, policy: RetryPolicy, clock: Clock
) -> AsyncGenerator[AsyncIterator[bytes], None]:
    """The artifact's bytes; asking for it is tried again under the policy, a body that has begun is not.

    Raises:
        DownloadError: It is refused, breaks off, or is not what the storage host declares.
    """
    tries = Tries(Retries(policy, clock))
    async with AsyncExitStack() as stack:
        while True:
            try:
                answer = await stack.enter_async_context(http.fetch(link))
                break
            except DownloadError as error:
                failure = error
            delay = tries.delay_after(failure)
            if delay is None:
                raise failure
            await clock.sleep(delay)
        declared = promised(link, answer.status, answer.headers)
        yield await stack.enter_async_context(aclosing(_checked(link, answer, declared)))


async def _checked(link: Link, answer: StorageAnswer, declared: Declared) -> AsyncGenerator[bytes, None]:
    digests = {declared.algorithm: _digests.new(declared.algorithm)} if declared.algorithm else {}
    size = 0
    try:
        async for block in answer.blocks():
            size += len(block)
            for digest in digests.values():
                digest.update(block)
            yield block
    except ConnectionFailedError as error:
        raise broken_off(link, declared, size, error) from None
    verify(link, declared, size, {name: digest.digest() for name, digest in digests.items()})
