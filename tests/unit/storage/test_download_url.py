"""The presigned URL of an artifact."""

from __future__ import annotations

import pytest

from packagex_async import Artifact
from packagex_async._storage.download_url import DownloadUrl


@pytest.mark.parametrize(
    ("query", "expires_at"),
    [
        ("X-Amz-Date=20240501T120000Z&X-Amz-Expires=60", 1714564860.0),
        ("x-goog-expires=60&x-goog-date=20240501T120000Z", 1714564860.0),
        ("se=2024-05-01T12%3A00%3A00Z&sig=x", 1714564800.0),
        ("Expires=1714564800&Signature=x", 1714564800.0),
        ("md5=x&expires=1714564800", 1714564800.0),
        ("e=1714564800", 1714564800.0),
        ("X-Amz-Expires=60", None),
        ("X-Amz-Date=yesterday&X-Amz-Expires=60", None),
        ("expires=never", None),
        ("sig=x", None),
        ("se=2024-05-01T12:00:00&sig=x", 1714564800.0),
        ("X-Amz-Date=99991231T235959Z&X-Amz-Expires=1e400", float("inf")),
    ],
)
def test_expiry_is_read_from_the_query(query: str, expires_at: float | None) -> None:
    """In the format of each vendor."""
    download_url = DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url=f"https://s.example/a?{query}")
    assert download_url.expires_at == expires_at


def test_malformed_url_has_no_expiry() -> None:
    """Its request fails later, with an error about the URL."""
    assert DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url="https://][::1/?se=1").expires_at is None


def test_repr_contains_no_signature() -> None:
    """Nor the rest of the URL."""
    url = DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url="https://s.example/a?sig=CANARY")
    assert "CANARY" not in repr(url)
