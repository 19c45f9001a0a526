"""The options of a download, validated and frozen."""

from __future__ import annotations

import attrs

from packagex_async._partials.partial_index import PartialIndex


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DownloadOptions:
    """The requirements for each file.

    Attributes:
        overwrite: Replace an existing file.
        sha256: Compute the SHA-256 of the file.
        durable: Flush the file to the storage device before it gets its name.
        require_verification: Refuse an artifact whose storage host declares neither length nor hash.
        max_size: The maximum size in bytes.
        partial_index: The partial files of earlier runs. With an index, they are resumed, and an interrupted
            transfer leaves its own partial file.
        segments: The maximum number of connections for one artifact.
    """

    overwrite: bool = False
    sha256: bool = False
    durable: bool = False
    require_verification: bool = False
    max_size: int | None = None
    partial_index: PartialIndex | None = None
    segments: int = 1
