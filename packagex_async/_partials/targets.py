"""The targets of artifacts: a file in a directory, or an object in a bucket (see `ObjectTarget`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, ParamSpec, Protocol, Self, TypeVar

import attrs

from packagex_async._bodies.pipe import PipedChunk
from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._files.executor import FileExecutor
from packagex_async._files.operations import FileDigest, digest_file, open_file
from packagex_async._partials.file_output import FileOutput
from packagex_async._partials.locked_partial import resume_partial
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.partial_metadata import PartialMetadata
from packagex_async._partials.partial_writer import PartialFileWriter
from packagex_async._utils.byte_ranges import ByteRange, Chunk
from packagex_async._utils.decompression import Decompressor
from packagex_async.report import DownloadedFile, PlannedFile, StoredFile
from packagex_async.retry import Clock

P = ParamSpec("P")
T = TypeVar("T")


class WriterContext(Protocol):
    """The state of the client, as far as a writer needs it."""

    @property
    def clock(self) -> Clock: ...

    @property
    def tuning(self) -> TransferTuning: ...


class ArtifactWriter(Protocol):
    """Writes the chunks of one artifact; see `PartialFileWriter` and `ObjectWriter`."""

    received: int
    waited: float
    window: int | None

    @property
    def accepts_pipes(self) -> bool:
        """Whether `write` accepts chunks in pipes."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    async def resume(self, index: PartialIndex, algorithms: Iterable[str]) -> PartialMetadata | None:
        """Continue the work of an earlier run, if possible; return its metadata."""
        ...

    async def start(
        self,
        *,
        algorithms: Iterable[str] = (),
        length: int | None = None,
        decompressor: Decompressor | None = None,
        metadata: PartialMetadata | None = None,
    ) -> None:
        """Start again with nothing."""
        ...

    def gaps(self) -> list[ByteRange]:
        """Return the missing ranges after `resume`."""
        ...

    async def write(self, chunk: Chunk | PipedChunk, position: int) -> None:
        """Write a chunk to its position."""
        ...

    async def publish(self, check: Callable[[FileDigest], T], *, overwrite: bool) -> tuple[FileDigest, T]:
        """Make the artifact appear at its target if `check` accepts its content."""
        ...


class Output(Protocol):
    """A file or an object that is written in order, with blocking calls."""

    def create(self) -> None:
        """Create it."""
        ...

    def write(self, data: bytes) -> None:
        """Write bytes."""
        ...

    def publish(self, *, overwrite: bool, durable: bool) -> None:
        """Make it appear at its target."""
        ...

    def discard(self) -> None:
        """Remove it, unless it was published."""
        ...


class Target(Protocol):
    """The file or object that an artifact is written to.

    Attributes:
        name: The path or the URL.
    """

    @property
    def name(self) -> str: ...

    def new_writer(self, context: WriterContext, *, durable: bool) -> ArtifactWriter:
        """Return a writer for an artifact that is stored as it arrives."""
        ...

    def new_output(self) -> Output:
        """Return an output for an artifact that is converted."""
        ...

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function that works on the target in a thread."""
        ...

    async def digest(self, algorithms: Iterable[str]) -> FileDigest | None:
        """Return the length and digests of the target, or `None` if it does not exist."""
        ...

    def open(self) -> BinaryIO:
        """Open the target for reading. A blocking call."""
        ...

    def remove_partials(self, index: PartialIndex) -> None:
        """Remove the partial files of earlier runs. A blocking call."""
        ...

    def new_file(self, **values: Any) -> StoredFile:
        """Return the record of the complete target, given the other attributes."""
        ...

    def new_planned_file(self, **values: Any) -> PlannedFile:
        """Return the record of the target in a dry run, given the other attributes."""
        ...


@attrs.frozen
class FileTarget:
    """The file that an artifact is written to.

    Attributes:
        path: The path of the file.
        root: The directory below which symbolic links are not followed.
        disk: Runs blocking calls in threads.
    """

    path: Path
    root: Path = attrs.field(eq=False, repr=False)
    disk: FileExecutor = attrs.field(eq=False, repr=False)

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    def new_writer(self, context: WriterContext, *, durable: bool) -> PartialFileWriter:
        """Return a writer for an artifact that is stored as it arrives."""
        return PartialFileWriter(
            self.disk,
            self.path,
            direct_write_min_size=context.tuning.direct_write_min_size,
            root=self.root,
            durable=durable,
        )

    def new_output(self) -> FileOutput:
        """Return an output for an artifact that is converted."""
        return FileOutput(self.path, self.root)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function that works on the file in a thread.

        Raises:
            DiskError: It raised an `OSError`.
        """
        return await self.disk.run(self.path, function, *args, **kwargs)

    async def digest(self, algorithms: Iterable[str]) -> FileDigest | None:
        """Return the length and digests of the file, or `None` if it does not exist.

        Raises:
            DiskError: It cannot be read.
        """
        return await self.run(digest_file, self.path, tuple(algorithms))

    def open(self) -> BinaryIO:
        """Open the file for reading.

        Raises:
            OSError: It cannot be read, or is not a regular file.
        """
        return open_file(self.path)

    def remove_partials(self, index: PartialIndex) -> None:
        """Remove the partial files of earlier runs.

        Raises:
            OSError: The directory cannot be read.
        """
        if (found := resume_partial(self.path, index)) is not None:
            partial, _ = found
            partial.remove()

    def new_file(self, **values: Any) -> DownloadedFile:
        """Return the record of the complete file, given the other attributes."""
        return DownloadedFile(path=self.path, **values)

    def new_planned_file(self, **values: Any) -> PlannedFile:
        """Return the record of the file in a dry run, given the other attributes."""
        return PlannedFile(path=self.path, **values)
