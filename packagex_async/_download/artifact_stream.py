"""The object that `AsyncExports.stream` yields: bytes, size, file name and media type of an artifact."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable

import attrs

from packagex_async._files.layouts import artifact_file_name
from packagex_async._utils.reprs import concise_repr
from packagex_async.models import Artifact

_JSON = "application/json"
_CSV = "text/csv; charset=utf-8"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ArtifactStream(AsyncIterator[bytes]):
    """The bytes of an artifact: an async iterator of chunks.

    The attributes are known before the first chunk, so that a web service can send them as headers.

    Attributes:
        export_id: The id of the export.
        artifact: The artifact.
        size: The number of bytes of the whole artifact, after decompression, or `None` if the storage host
            does not declare it. The stream never yields more bytes. It yields the last bytes after length and
            hash were verified, so a reader of `size` bytes has a verified artifact.
    """

    export_id: str
    artifact: Artifact
    size: int | None
    _chunks: AsyncGenerator[bytes, None] = attrs.field(repr=False, alias="chunks")

    @property
    def filename(self) -> str:
        """The name of the file that `download` would write, such as `exp_7xKyu1HY.csv`.

        It contains only ASCII letters, digits and `.-_~`, so it needs no quoting in a header.
        """
        return artifact_file_name(self.export_id, self.artifact)

    @property
    def media_type(self) -> str:
        """The media type. It is `application/json`, or `text/csv; charset=utf-8` for the other artifacts.

        It depends only on the artifact. The storage host may declare a type that a browser executes.
        """
        return _JSON if self.artifact is Artifact.JSON else _CSV

    __repr__ = concise_repr

    def __anext__(self) -> Awaitable[bytes]:
        return anext(self._chunks)

    async def aclose(self) -> None:
        """Close the stream before its end. The end of the block of `stream` does the same."""
        await self._chunks.aclose()
