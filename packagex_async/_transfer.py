"""One artifact: ask for it, stream it, go on where it broke off, verify it, publish it."""

from __future__ import annotations

import errno
from pathlib import Path

import attrs

from packagex_async._budget import Budget
from packagex_async._decode import BodyError, Decoder
from packagex_async._disk import Disk, DiskError
from packagex_async._files import Measured
from packagex_async._http import Http, StorageAnswer
from packagex_async._links import Links
from packagex_async._part import Part
from packagex_async._storage import Declared, Link, broken_off, promised, unusable, verify
from packagex_async._tries import Tries
from packagex_async.errors import (
    ChecksumError,
    ConnectionFailedError,
    DestinationError,
    DownloadError,
    ExportGoneError,
)
from packagex_async.report import DownloadedFile, OnProgress, ProgressEvent, ProgressKind, Verified
from packagex_async.retry import Clock, Retries, RetryPolicy

_ADVICE = {
    errno.ENOSPC: "free some space and download again",
    errno.EDQUOT: "the quota is used up: free some space and download again",
    errno.EACCES: "check the permissions of the folder",
    errno.EPERM: "check the permissions of the folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EFBIG: "the file system takes no file that large: choose another folder",
    errno.ENAMETOOLONG: "choose a folder with a shorter path",
    errno.EISDIR: "a folder has the file's name: move it away",
    errno.ENOENT: "the folder has vanished: make it anew",
}


@attrs.frozen(kw_only=True)
class Tools:
    """What every transfer of a client works with."""

    http: Http
    disk: Disk
    policy: RetryPolicy
    clock: Clock
    stall_timeout: float
    budget: Budget

    def tries(self) -> Tries:
        """The tries of a transfer that begins."""
        return Tries(Retries(self.policy, self.clock), self.stall_timeout)


@attrs.frozen(kw_only=True)
class Demands:
    """What a caller demands of each file.

    Attributes:
        overwrite: Replace a file that is there already.
        sha256: Compute its SHA-256.
        durable: Have it on the medium before it takes its place.
        verified: Refuse what nothing declared can verify.
        max_size: The most bytes it may have.
        resume: Leave what an interrupted transfer has brought to the next run, and take up what one has left.
    """

    overwrite: bool = False
    sha256: bool = False
    durable: bool = False
    verified: bool = False
    max_size: int | None = None
    resume: bool = False


@attrs.define(kw_only=True)
class Transfer:
    """One artifact on its way to disk.

    Args:
        link: Where it is.
        links: Where fresh links come from.
        target: Where it goes.
        tools: What to work with.
        demands: What its caller demands.
        emit: Is told of every step.
        vacant: Whether nothing is at the target, nor left of it by an earlier run; that is not looked up
            again.
    """

    link: Link
    links: Links
    target: Path
    tools: Tools
    demands: Demands
    emit: OnProgress
    vacant: bool = False
    _tries: Tries = attrs.field(init=False)
    _declared: Declared = attrs.field(init=False, factory=Declared)
    _resumed: bool = attrs.field(init=False, default=False)
    _occupied: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._tries = self.tools.tries()

    async def run(self) -> DownloadedFile:
        """Bring the artifact to disk, trying again under the policy.

        Raises:
            DownloadError: It failed for good; the target is as it was.
            ExportGoneError: The export was deleted meanwhile.
        """
        began = self.tools.clock.monotonic()
        try:
            if not (self.demands.overwrite or self.vacant):
                self._occupied = await self.tools.disk.measure(self.target, ()) is not None
            async with Part(self.tools.disk, self.target, durable=self.demands.durable) as part:
                if self.demands.resume and not self.vacant:
                    await self._take_up(part)
                if self._occupied:
                    await part.start()
                file = await self._persist(part)
        except DiskError as error:
            raise self._refused(error) from error.cause
        file = attrs.evolve(
            file,
            attempts=self._tries.count,
            resumed=self._resumed,
            elapsed=self.tools.clock.monotonic() - began,
        )
        self._emit(ProgressKind.KEPT if file.kept else ProgressKind.FINISHED, received=file.size)
        return file

    async def _take_up(self, part: Part) -> None:
        memo = await part.take_up({"sha256"} if self.demands.sha256 else ())
        if memo is not None:
            self._declared = Declared.from_memo(memo)
            self._tries.reached(part.received)

    async def _persist(self, part: Part) -> DownloadedFile:
        while True:
            try:
                async with self.tools.budget.place():
                    return await self._try(part)
            except DownloadError as error:
                failure = error
            delay = await self._delay_after(failure, part)
            if delay is None:
                raise failure
            self._emit(ProgressKind.RETRYING, received=part.received, delay=delay, error=failure)
            await self.tools.clock.sleep(delay)

    async def _delay_after(self, failure: DownloadError, part: Part) -> float | None:
        if isinstance(failure, ChecksumError):
            # Nothing of these bytes can be trusted, nor followed.
            await part.start()
        if self._tries.wants_link(failure):
            try:
                self.link = await self.links.fresh(self.link)
            except ExportGoneError:
                await part.start()
                raise
            return 0.0
        return self._tries.delay_after(failure)

    async def _try(self, part: Part) -> DownloadedFile:
        self._tries.begin()
        offset = part.received
        if not (offset and self._declared.resumable):
            return await self._whole(part)
        async with self.tools.http.fetch(self.link, self._declared.range_from(offset)) as answer:
            if answer.status == 200:
                return await self._receive_whole(answer, part)
            self._resumed = True
            if self._declared.completed_by(answer.status, answer.headers, offset):
                return await self._conclude(part)
            if self._declared.continued_by(answer.status, answer.headers, offset):
                return await self._receive(answer, part)
        # Whatever that answer was of, it does not follow what is here.
        return await self._whole(part)

    async def _whole(self, part: Part) -> DownloadedFile:
        async with self.tools.http.fetch(self.link) as answer:
            return await self._receive_whole(answer, part)

    async def _receive_whole(self, answer: StorageAnswer, part: Part) -> DownloadedFile:
        self._declared = declared = promised(self.link, answer.status, answer.headers)
        self._resumed = False
        self._emit(ProgressKind.STARTED)
        self._meets_demands(declared.size)
        algorithms = {name for name in (declared.algorithm, self.demands.sha256 and "sha256") if name}
        # Asked for only where something is there: a wait here may cost the bytes that came with the head.
        if self._occupied and (there := await self.tools.disk.measure(self.target, algorithms)):
            return self._kept(there)
        decoder = Decoder(self.demands.max_size) if declared.encoding else None
        memo = declared.memo() if self.demands.resume and declared.resumable else None
        await part.start(algorithms=algorithms, length=declared.size, decoder=decoder, memo=memo)
        return await self._receive(answer, part)

    def _meets_demands(self, size: int | None) -> None:
        most = self.demands.max_size
        if most is not None and size is not None and size > most:
            raise unusable(self.link, f"it has {size} bytes or more, which is above max_size={most}")
        if self.demands.verified and self._declared.length is None and self._declared.algorithm is None:
            raise unusable(self.link, "it declares neither length nor hash, and require_verification is set")

    async def _receive(self, answer: StorageAnswer, part: Part) -> DownloadedFile:
        try:
            async for block in answer.blocks():
                await part.write(block)
                self._meets_demands(None if self._declared.encoding else part.received)
                self._tries.reached(part.received)
                self._emit(ProgressKind.ADVANCED, received=part.received)
            return await self._conclude(part)
        except ConnectionFailedError as error:
            raise broken_off(self.link, self._declared, part.received, error) from None
        except BodyError as error:
            raise unusable(self.link, str(error)) from None

    async def _conclude(self, part: Part) -> DownloadedFile:
        if self._declared.length not in (None, part.received):
            raise broken_off(self.link, self._declared, part.received)
        measured = await part.finish()
        verified = verify(self.link, self._declared, part.received, measured.of(self._declared.algorithm))
        await part.publish(overwrite=self.demands.overwrite)
        return self._file(measured, verified)

    def _kept(self, there: Measured) -> DownloadedFile:
        declared = self._declared
        same = there.size == declared.size
        if same and declared.algorithm:
            same = there.digests[declared.algorithm] == declared.digest
        if not same:
            told = f"{declared.size} bytes" if declared.size is not None else "of unknown length"
            raise self._destination_error(
                f"{self.target} is there already ({there.size} bytes) and is not the artifact ({told}): "
                "pass overwrite=True to replace it",
                errno.EEXIST,
            )
        return self._file(there, "checksum" if declared.algorithm else "length", kept=True)

    def _file(self, measured: Measured, verified: Verified, *, kept: bool = False) -> DownloadedFile:
        sha256 = measured.digests["sha256"].hex() if self.demands.sha256 else None
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
                total=self._declared.length,
                attempt=self._tries.count,
                delay=delay,
                error=error,
            )
        )
