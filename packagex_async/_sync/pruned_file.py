"""The record of a file that a download of many exports has removed because of its age."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import attrs

from packagex_async._utils.redaction import redact
from packagex_async._utils.reprs import concise_repr
from packagex_async.errors import DirectoryError

PruneOutcome = Literal["removed", "planned", "changed", "failed"]


@attrs.frozen(kw_only=True, repr=False)
class PrunedFile:
    """A file that is older than `prune_after`, and whose export does not exist any more.

    Attributes:
        export_id: The id of the export.
        artifact: The name of the artifact.
        path: The path of the file.
        size: The length in bytes that the manifest lists.
        outcome: `removed`; `planned` if a dry run would remove it; `changed` if it was kept because it is not
            the file that was downloaded; `failed` if the operating system refused.
        error: The error if the operating system refused.
    """

    export_id: str = attrs.field(converter=redact)
    artifact: str
    path: Path
    size: int
    outcome: PruneOutcome
    error: DirectoryError | None = None

    __repr__ = concise_repr


OnPrune = Callable[[PrunedFile], object]
