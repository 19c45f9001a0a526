"""The patterns of files that a download of many exports leaves out."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from packagex_async.errors import ConfigurationError


class Exclusions:
    """Glob patterns of paths relative to the directory, as in `fnmatch`: `*` also matches `/`.

    Args:
        patterns: The patterns. A pattern that ends with `/` matches everything below that directory.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [f"{pattern}*" if pattern.endswith("/") else pattern for pattern in patterns]

    @classmethod
    def from_argument(cls, exclude: str | Iterable[str] | None) -> Exclusions | None:
        """Return the exclusions for the parameter `exclude`, or `None` if there are none.

        Raises:
            ConfigurationError: A pattern is not a text, or empty.
        """
        if exclude is None:
            return None
        patterns = (exclude,) if isinstance(exclude, str) else tuple(exclude)
        for pattern in patterns:
            if not isinstance(pattern, str) or not pattern:
                raise ConfigurationError(
                    f"exclude must consist of patterns such as '*.json', not {pattern!r}; see fnmatch"
                )
        return cls(patterns) if patterns else None

    def match(self, path: str) -> bool:
        """Return whether a pattern matches `path`, which is relative and separated by `/`."""
        return any(fnmatchcase(path, pattern) for pattern in self._patterns)
