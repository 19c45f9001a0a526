"""The range of creation dates of a listing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from packagex_async import AsyncPackageX, ConfigurationError, Export
from packagex_async._listing.creation_filter import CreationFilter
from packagex_async.testing import Emulator

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("created", "expected"),
    [(NOON - SECOND, False), (NOON, True), (NOON + SECOND, True), (NOON + 2 * SECOND, False), (None, True)],
)
def test_range_includes_its_start_only(created: datetime | None, expected: bool) -> None:
    """An export without a known date is in every range."""
    created_filter = CreationFilter.from_arguments(created_after=NOON, created_before=NOON + 2 * SECOND)
    assert created_filter is not None
    assert created_filter.accepts(Export(id="exp_1", created_at=created)) is expected


def test_no_filter() -> None:
    """Without parameters there is no filter."""
    assert CreationFilter.from_arguments(created_after=None, created_before=None) is None


@pytest.mark.parametrize(
    ("after", "before", "message"),
    [
        (datetime(2024, 5, 1), None, "created_after must have a time zone"),
        (None, date(2024, 5, 1), "created_before must be a datetime"),
        (NOON, NOON, "must be earlier than created_before"),
    ],
)
def test_invalid_range(after: Any, before: Any, message: str) -> None:
    """The message names the parameter."""
    with pytest.raises(ConfigurationError, match=message):
        CreationFilter.from_arguments(created_after=after, created_before=before)


async def test_list_and_pages_are_filtered(server: Emulator, px: AsyncPackageX) -> None:
    """Both methods return the same exports."""
    now = server.now()
    server.add_export(created_at=now - 7200)
    new = server.add_export(created_at=now - 60)
    after = datetime.fromtimestamp(now - 3600, UTC)
    assert [export.id async for export in px.exports.list(created_after=after)] == [new.id]
    pages = [page async for page in px.exports.pages(created_after=after, limit=1)]
    assert [export.id for page in pages for export in page] == [new.id]
