"""The progress events of the download of one artifact, and the record of the complete file."""

from __future__ import annotations

from typing import Any

from packagex_async._context import ClientContext
from packagex_async._download.attempts import AttemptTracker
from packagex_async._download.options import DownloadOptions
from packagex_async._files.operations import FileDigest
from packagex_async._partials.targets import Target
from packagex_async._storage.download_url import DownloadUrl
from packagex_async.errors import DownloadError
from packagex_async.report import OnProgress, ProgressEvent, ProgressKind, StoredFile, Verified


class ArtifactReporter:
    """Reports the progress of the download of one artifact, and creates the record of the complete file.

    Args:
        url: The URL of the artifact.
        target: The file or object that the artifact is written to.
        attempts: Counts the attempts.
        context: The state of the client.
        options: The options of the caller.
        on_progress: Called at every step.

    Attributes:
        received: The number of bytes in the last event.
        total: The length of the artifact in bytes, or `None` while it is unknown.
    """

    def __init__(
        self,
        url: DownloadUrl,
        target: Target,
        attempts: AttemptTracker,
        context: ClientContext,
        options: DownloadOptions,
        on_progress: OnProgress | None,
    ) -> None:
        self.received = 0
        self.total: int | None = None
        self._export_id, self._artifact = url.export_id, url.artifact
        self._target = target
        self._attempts = attempts
        self._clock = context.clock
        self._options = options
        self._on_progress = on_progress
        self._started_at = self._clock.monotonic()

    def emit(
        self,
        kind: ProgressKind,
        *,
        received: int = 0,
        delay: float | None = None,
        error: DownloadError | None = None,
    ) -> None:
        """Report a step, with its number of bytes."""
        self.received = received
        if self._on_progress is None:
            return
        event = ProgressEvent(
            kind=kind,
            export_id=self._export_id,
            artifact=self._artifact,
            received=received,
            total=self.total,
            attempt=self._attempts.count,
            delay=delay,
            error=error,
        )
        self._on_progress(event)

    def file(
        self,
        digest: FileDigest,
        verified: Verified,
        *,
        resumed: bool = False,
        kept: bool = False,
        **converted: Any,
    ) -> StoredFile:
        """Return the record of the complete file.

        Args:
            digest: The length of the file, and its SHA-256 if that is requested.
            verified: How the content was verified.
            resumed: Whether an interrupted transfer was continued.
            kept: Whether the file existed before.
            **converted: The further attributes of a file that was converted.
        """
        return self._target.new_file(
            artifact=self._artifact,
            size=digest.size,
            verified=verified,
            sha256=digest.digests["sha256"].hex() if self._options.sha256 else None,
            attempts=self._attempts.count,
            resumed=resumed,
            elapsed=self._clock.monotonic() - self._started_at,
            kept=kept,
            **converted,
        )
