"""One artifact: ask for it, stream it, verify it, publish it."""

from __future__ import annotations

import errno
from pathlib import Path

import attrs

from packagex_async._disk import Disk, DiskError, Measured, Part
from packagex_async._http import Http, StorageAnswer
from packagex_async._storage import Declared, Link, broken_off, promised, verify
from packagex_async._tries import Tries
from packagex_async.errors import ConnectionFailedError, DestinationError, DownloadError
from packagex_async.report import DownloadedFile, OnProgress, ProgressEvent, ProgressKind, Verified
from packagex_async.retry import Clock, Retries, RetryPolicy

_ADVICE = {
    errno.ENOSPC: "free some space and download again",
    errno.EDQUOT: "the quota is used up: free some space and download again",
    errno.EACCES: "check the permissions of the folder",
    errno.EROFS: "the file system is read-only: choose another folder",
}


@attrs.frozen(kw_only=True)
class Tools:
    """What every transfer of a client works with."""

    http: Http
    disk: Disk
    policy: RetryPolicy
    clock: Clock


@attrs.define(kw_only=True)
class Transfer:
    """One artifact on its way to disk.

    Args:
        link: Where it is.
        target: Where it goes.
        tools: What to work with.
        overwrite: Whether to replace a file that is there already.
        sha256: Whether to compute its SHA-256.
        emit: Is told of every step.
    """

    link: Link
    target: Path
    tools: Tools
    overwrite: bool
    sha256: bool
    emit: OnProgress
    _tries: Tries = attrs.field(init=False)
    _total: int | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._tries = Tries(Retries(self.tools.policy, self.tools.clock))

    async def run(self) -> DownloadedFile:
        """Bring the artifact to disk, trying again under the policy.

        Raises:
            DownloadError: It failed for good; the target is as it was.
        """
        began = self.tools.clock.monotonic()
        while True:
            try:
                file = await self._try()
                break
            except DownloadError as error:
                failure = error
            except DiskError as error:
                raise self._refused(error) from error.cause
            delay = self._tries.delay_after(failure)
            if delay is None:
                raise failure
            self._emit(ProgressKind.RETRYING, delay=delay, error=failure)
            await self.tools.clock.sleep(delay)
        file = attrs.evolve(file, attempts=self._tries.count, elapsed=self.tools.clock.monotonic() - began)
        self._emit(ProgressKind.KEPT if file.kept else ProgressKind.FINISHED, received=file.size)
        return file

    async def _try(self) -> DownloadedFile:
        self._tries.count += 1
        there = None if self.overwrite else await self.tools.disk.measure(self.target, ())
        async with self.tools.http.fetch(self.link) as answer:
            declared = promised(self.link, answer.status, answer.headers)
            self._total = declared.length
            self._emit(ProgressKind.STARTED)
            algorithms = {declared.algorithm} if declared.algorithm else set()
            algorithms |= {"sha256"} if self.sha256 else set()
            if there and (there := await self.tools.disk.measure(self.target, algorithms)):
                return self._kept(there, declared)
            async with Part(self.tools.disk, self.target, algorithms) as part:
                return await self._receive(answer, declared, part)

    async def _receive(self, answer: StorageAnswer, declared: Declared, part: Part) -> DownloadedFile:
        try:
            async for block in answer.blocks():
                await part.write(block)
                self._tries.reached(part.size)
                self._emit(ProgressKind.ADVANCED, received=part.size)
        except ConnectionFailedError as error:
            raise broken_off(self.link, declared, part.size, error) from None
        measured = await part.finish()
        verified = verify(self.link, declared, measured.size, measured.digests)
        await part.publish(overwrite=self.overwrite)
        return self._file(measured, verified)

    def _kept(self, there: Measured, declared: Declared) -> DownloadedFile:
        same = there.size == declared.length
        if declared.algorithm:
            same = same and there.digests[declared.algorithm] == declared.digest
        if not same:
            told = f"{declared.length} bytes" if declared.length is not None else "of unknown length"
            raise self._destination_error(
                f"{self.target} is there already ({there.size} bytes) and is not the artifact ({told}): "
                "pass overwrite=True to replace it",
                errno.EEXIST,
            )
        return self._file(there, "checksum" if declared.algorithm else "length", kept=True)

    def _file(self, measured: Measured, verified: Verified, *, kept: bool = False) -> DownloadedFile:
        sha256 = measured.digests["sha256"].hex() if self.sha256 else None
        return DownloadedFile(
            artifact=self.link.artifact,
            path=self.target,
            size=measured.size,
            verified=verified,
            sha256=sha256,
            kept=kept,
        )

    def _refused(self, error: DiskError) -> DestinationError:
        number = error.cause.errno
        advice = _ADVICE.get(number or 0, "the file was left as it was")
        return self._destination_error(f"{self.target} cannot be written: {error} ({advice})", number)

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
        self.emit(
            ProgressEvent(
                kind=kind,
                export_id=self.link.export_id,
                artifact=self.link.artifact,
                received=received,
                total=self._total,
                attempt=self._tries.count,
                delay=delay,
                error=error,
            )
        )
