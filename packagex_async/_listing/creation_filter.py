"""The filter of a listing by creation date, which the API does not have."""

from __future__ import annotations

from datetime import datetime

import attrs

from packagex_async.errors import ConfigurationError
from packagex_async.models import Export


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CreationFilter:
    """A range of creation dates. Exports without a known creation date are in every range.

    Attributes:
        after: The first date of the range, or `None`.
        before: The date after the end of the range, or `None`.
    """

    after: datetime | None = None
    before: datetime | None = None

    @classmethod
    def from_arguments(
        cls, *, created_after: datetime | None, created_before: datetime | None
    ) -> CreationFilter | None:
        """Return the filter for the parameters of a listing, or `None` if there are none.

        Raises:
            ConfigurationError: A parameter is not a `datetime` with a time zone, or the range is empty.
        """
        if created_after is None and created_before is None:
            return None
        _check("created_after", created_after)
        _check("created_before", created_before)
        if created_after is not None and created_before is not None and created_after >= created_before:
            raise ConfigurationError(
                f"created_after ({created_after.isoformat()}) must be earlier than created_before "
                f"({created_before.isoformat()})"
            )
        return cls(after=created_after, before=created_before)

    def accepts(self, export: Export) -> bool:
        """Return whether the creation date of `export` is in the range, or unknown."""
        created = export.created_at
        if created is None:
            return True
        is_early = self.after is not None and created < self.after
        is_late = self.before is not None and created >= self.before
        return not (is_early or is_late)


def _check(name: str, value: datetime | None) -> None:
    if value is None:
        return
    if not isinstance(value, datetime):
        raise ConfigurationError(f"{name} must be a datetime, not {value!r}")
    if value.utcoffset() is None:
        raise ConfigurationError(
            f"{name} must have a time zone, such as datetime.now(UTC); {value.isoformat()} has none"
        )
