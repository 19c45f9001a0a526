"""The result of one poll of `download_all(follow=True)`."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from packagex_async._utils.reprs import concise_repr
from packagex_async.errors import PackageXError


@attrs.frozen(kw_only=True, repr=False)
class Poll:
    """The result of one poll of `download_all(follow=True)`.

    Attributes:
        found: The number of exports that are final for the first time.
        retried: The number of exports whose download failed, and starts again at this poll.
        pending: The number of known exports that are not final.
        failing: The number of exports whose last download failed. It is repeated later, or is running again.
        error: The error that ended the poll early, or `None`. The next poll tries again.
    """

    found: int
    retried: int
    pending: int
    failing: int = 0
    error: PackageXError | None = None

    __repr__ = concise_repr


OnPoll = Callable[[Poll], object]
