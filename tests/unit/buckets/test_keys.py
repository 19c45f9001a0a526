"""Keys and URLs of buckets."""

from __future__ import annotations

import pytest

from packagex_async import Artifact, ConfigurationError, Export, ExportStatus
from packagex_async._buckets.keys import is_bucket_url, join_prefix, parse_bucket_url
from packagex_async._files.layouts import flat


@pytest.mark.parametrize(
    ("text", "scheme", "bucket", "folder"),
    [
        ("s3://b", "s3", "b", ""),
        ("S3://b/", "s3", "b", ""),
        ("gs://b/x", "gs", "b", "x"),
        ("az://c/x/y/", "az", "c", "x/y"),
        ("s3://b//x", "s3", "b", "x"),
        ("memory://", "memory", "", ""),
        ("memory://x/y", "memory", "", "x/y"),
        ("s3://b/a%20b#c", "s3", "b", "a%20b#c"),
    ],
)
def test_urls(text: str, scheme: str, bucket: str, folder: str) -> None:
    """The path is a folder, with or without a slash at the end; it is not decoded."""
    url = parse_bucket_url(text)
    assert (url.scheme, url.bucket, url.folder) == (scheme, bucket, folder)
    assert is_bucket_url(text)


@pytest.mark.parametrize(
    "text",
    ["", "s3", "s3://", "s3:///x", "ftp://b", "http://b/x", "s3://user:pw@b/x", "s3://b/x?token=1", "s3://b#x",
     "s3://b/../x", "s3://b/x//y", "s3://b/a\nb", "s3://b/\ud800", "exports/"],
)  # fmt: skip
def test_invalid_urls(text: str) -> None:
    """Other schemes, missing buckets, credentials, queries and unsafe paths are errors."""
    with pytest.raises(ConfigurationError) as caught:
        parse_bucket_url(text)
    assert "pw" not in str(caught.value)
    assert "token=1" not in str(caught.value)


@pytest.mark.parametrize(
    ("folder", "prefix", "start"),
    [
        ("", "", ""),
        ("x", "", "x/"),
        ("x", "y-", "x/y-"),
        ("", "y-", "y-"),
        ("", "/y/", "y/"),
        ("x", "y/z", "x/y/z"),
        ("x", ".", "x/."),
    ],
)
def test_prefixes(folder: str, prefix: str, start: str) -> None:
    """The prefix is literal; a slash at its start is dropped."""
    assert join_prefix(folder, prefix) == start


@pytest.mark.parametrize("prefix", ["a//b", "../x", "a\0b", "../", 7])
def test_invalid_prefixes(prefix: str) -> None:
    """A prefix must be a part of a key that every store accepts."""
    with pytest.raises(ConfigurationError):
        join_prefix("", prefix)


@pytest.mark.parametrize("export_id", ["../../x", "/etc/passwd", "..", "a/../../b", "x\0y", "CON"])
def test_unusual_ids_stay_below_the_prefix(export_id: str) -> None:
    """No id of an export leads out of the folder."""
    name = flat(Export(id=export_id, status=ExportStatus.COMPLETED), Artifact.CSV)
    assert "/" not in name
    assert not name.startswith(".")
