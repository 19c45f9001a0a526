"""What a caller demands of each file."""

from __future__ import annotations

import attrs

from packagex_async._partials.partial_index import PartialIndex


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DownloadOptions:
    """What a caller demands of each file.

    Attributes:
        overwrite: Replace a file that is there already.
        sha256: Compute its SHA-256.
        durable: Have it on the medium before it takes its place.
        verified: Refuse what nothing declared can verify.
        max_size: The most bytes it may have.
        leftovers: Where an interrupted transfer may have left what it had brought. Where this is given, it is
            taken up, and left to the next run likewise.
        segments: The most connections that may bring it side by side.
    """

    overwrite: bool = False
    sha256: bool = False
    durable: bool = False
    verified: bool = False
    max_size: int | None = None
    leftovers: PartialIndex | None = None
    segments: int = 1
