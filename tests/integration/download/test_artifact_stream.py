"""The object that `stream` yields: an iterator with the size, the file name and the media type."""

from __future__ import annotations

import pytest

from packagex_async import Artifact, ArtifactNotOfferedError, ArtifactStream, AsyncPackageX, StorageError
from packagex_async.testing import Emulator, Undeclared
from tests.integration.download.helpers import add


@pytest.mark.parametrize(
    ("artifact", "suffix", "media_type"),
    [
        ("json", ".json", "application/json"),
        ("csv", ".csv", "text/csv; charset=utf-8"),
        ("csv_error", ".error.csv", "text/csv; charset=utf-8"),
        ("csv_sanitized", ".sanitized.csv", "text/csv; charset=utf-8"),
    ],
)
async def test_headers_of_the_artifact(
    server: Emulator, px: AsyncPackageX, artifact: Artifact, suffix: str, media_type: str
) -> None:
    """Size, file name and media type are known before the first byte."""
    export = server.add_export(content={artifact: b"id\n1\n"})
    async with px.exports.stream(export.id, artifact) as body:
        assert (body.export_id, body.artifact) == (export.id, artifact)
        assert (body.size, body.filename, body.media_type) == (5, f"{export.id}{suffix}", media_type)
        assert [block async for block in body] == [b"id\n1\n"]


async def test_size_is_unknown_if_it_is_not_declared(server: Emulator, px: AsyncPackageX) -> None:
    """Without a declared size, `size` is `None`, and the bytes are those of the artifact."""
    export_id = add(server, 50_000)
    server.inject(Undeclared())
    async with px.exports.stream(export_id, "csv") as body:
        assert body.size is None
        assert b"".join([block async for block in body]) == server.content(export_id, "csv")


async def test_stream_is_an_iterator(server: Emulator, px: AsyncPackageX) -> None:
    """`anext` and `aclose` work as in a generator. The repr contains no URL."""
    export_id = add(server, 1_000_000)
    async with px.exports.stream(export_id, "csv") as body:
        assert server.content(export_id, "csv").startswith(await anext(body))
        assert (
            repr(body)
            == f"ArtifactStream(export_id={export_id!r}, artifact={Artifact.CSV!r}, size={body.size})"
        )
        await body.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(body)
    assert isinstance(body, ArtifactStream)


async def test_artifact_that_is_not_offered(server: Emulator, px: AsyncPackageX) -> None:
    """The error is raised before the first byte, for an id and for an export with other URLs."""
    stored = server.add_export(rows=1)
    export = await px.exports.retrieve(stored.id, include_csv=True, include_json=True)
    for given in (stored.id, export):
        with pytest.raises(ArtifactNotOfferedError) as caught:
            async with px.exports.stream(given, "csv_error"):
                pytest.fail("the artifact does not exist")
        assert isinstance(caught.value, StorageError)
        assert (caught.value.export_id, caught.value.artifact) == (stored.id, "csv_error")
        assert caught.value.status is None
    assert [request.host for request in server.requests].count("storage") == 0
