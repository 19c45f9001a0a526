"""The preview of the download of one artifact: its length, without its bytes."""

from __future__ import annotations

from contextlib import closing

import attrs

from packagex_async._context import ClientContext
from packagex_async._download.artifact import is_artifact
from packagex_async._download.attempts import AttemptTracker
from packagex_async._download.options import DownloadOptions
from packagex_async._partials.targets import Target
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async._storage.object_metadata import NOTHING_KNOWN, ObjectMetadata
from packagex_async._storage.response_check import Relation, classify
from packagex_async._storage.response_head import ResponseHead
from packagex_async._storage.storage_errors import contradiction_error
from packagex_async._transport.storage_response import StorageResponse
from packagex_async.errors import DownloadError
from packagex_async.report import PlannedFile, PlanReason, StoredFile

# A presigned URL is valid for GET only. The connection can be used again after a response of one byte.
_FIRST_BYTE = {"Range": "bytes=0-0"}


@attrs.define(kw_only=True, eq=False, repr=False)
class DownloadPreview:
    """The preview of the download of one artifact. It writes nothing.

    Args:
        url: The URL of the artifact.
        urls: The URLs of the export, which can be refreshed.
        target: The file or object.
        context: The state of the client.
        options: The options of the caller.
        reason: The reason of the download.
        exists: Whether a file exists at `target`, which is compared with the artifact and never replaced.
    """

    url: DownloadUrl
    urls: DownloadUrls
    target: Target
    context: ClientContext
    options: DownloadOptions
    reason: PlanReason
    exists: bool
    _attempts: AttemptTracker = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._attempts = AttemptTracker(self.context)

    async def run(self) -> PlannedFile | StoredFile:
        """Request the length, with further attempts under the retry policy.

        Returns:
            The planned file, or the existing file if it would be kept.

        Raises:
            DownloadError: All attempts failed, or the download would fail.
            DiskError: The existing file cannot be read.
            BucketError: The existing object cannot be read.
            ExportGoneError: The export was deleted meanwhile.
        """
        while True:
            self._attempts.begin()
            try:
                async with self.context.limiter.slot():
                    metadata = await self._request()
                break
            except DownloadError as error:
                failure = error
            await self._prepare_next_attempt(failure)
        self.options.check_limits(self.url, metadata, metadata.size)
        if self.exists and (file := await self._existing_file(metadata)) is not None:
            return file
        return self.target.new_planned_file(
            artifact=self.url.artifact, reason=self.reason, size=metadata.wire_length
        )

    async def _prepare_next_attempt(self, failure: DownloadError) -> None:
        if self._attempts.wants_new_url(failure):
            self.url = await self.urls.refresh(self.url)
            return
        await self._attempts.wait_after(failure)

    async def _request(self) -> ObjectMetadata:
        # A response with a part of the object may declare the hash of that part.
        headers = {} if self.exists else _FIRST_BYTE
        with closing(await self.context.storage.get(self.url, headers)) as response:
            head = ResponseHead.parse(response.status, response.headers)
            if head.status == 206 and head.declared.length == 1:
                await response.read_start(2)
            return self._metadata(head, response)

    def _metadata(self, head: ResponseHead, response: StorageResponse) -> ObjectMetadata:
        if head.status in (206, 416) and not self.exists:
            total = None if head.content_range is None else head.content_range.total
            return attrs.evolve(head.declared, length=total, size=total)
        # The host ignores ranges. Closing the response discards the body.
        found = classify(NOTHING_KNOWN, head)
        if found.relation is Relation.CONTRADICTS:
            raise contradiction_error(self.url, found.reason, response.status)
        return found.metadata

    async def _existing_file(self, metadata: ObjectMetadata) -> StoredFile | None:
        algorithms = metadata.algorithms | ({"sha256"} if self.options.sha256 else set())
        existing = await self.target.digest(algorithms)
        if existing is None or not is_artifact(self.url, metadata, self.target.name, existing):
            return None
        return self.target.new_file(
            artifact=self.url.artifact,
            size=existing.size,
            verified="checksum" if metadata.hashes else "length",
            sha256=existing.digests["sha256"].hex() if self.options.sha256 else None,
            attempts=self._attempts.count,
            kept=True,
        )
