"""Removal of multipart uploads that a killed process has left behind in S3.

Obstore cannot list multipart uploads, so this module sends the requests itself. Azure removes uncommitted
blocks by itself, and Google Cloud Storage needs a lifecycle rule.
"""

from __future__ import annotations

import html
import http
import re
import urllib.error
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

import attrs

from packagex_async import _logs
from packagex_async._bucket_sync.aws_credentials import find_key, find_settings
from packagex_async._bucket_sync.aws_http import describe, send
from packagex_async._bucket_sync.aws_signature import AwsKey, sign
from packagex_async._buckets.objects import BucketObjects

MAX_AGE = 24 * 3600
"""Seconds. An older upload is not in progress any more."""

_MAX_PAGES = 100
_SUFFIXES = (".csv", ".json", ".parquet")
"""The ends of the keys that this package writes. Other uploads are never removed."""


@attrs.frozen(eq=False, repr=False)
class Upload:
    """A multipart upload that is not complete.

    Attributes:
        key: The key of the object.
        upload_id: The id of the upload.
        initiated: When it began, in seconds since the epoch.
    """

    key: str
    upload_id: str
    initiated: float


def remove_abandoned_uploads(objects: BucketObjects, now: float) -> None:
    """Remove the uploads below the prefix that began more than a day ago. A failure is only logged.

    A blocking call. Only the first call for a bucket sends requests.

    Args:
        objects: The bucket.
        now: The time in seconds since the epoch.
    """
    if objects.kind != "S3Store" or objects.has_removed_uploads:
        return
    objects.has_removed_uploads = True
    try:
        settings = find_settings(objects.store)
        key = find_key(objects.store, settings)
        if key is None:
            return
        api = _UploadApi(bucket_address(settings, key.region), key)
        for upload in api.list(f"{objects.base}{objects.prefix}"):
            if upload.key.endswith(_SUFFIXES) and upload.initiated < now - MAX_AGE:
                api.abort(upload)
    except Exception as error:
        # A credential provider may raise any error.
        _logs.uploads_not_removed(objects.url, describe(error))


def parse_uploads(text: str) -> tuple[list[Upload], dict[str, str]]:
    """Parse a response of S3; return its uploads, and the parameters for the next page, if there is one.

    Raises:
        ValueError: A date is invalid.
    """
    uploads = [
        Upload(
            _field(item, "Key"),
            _field(item, "UploadId"),
            datetime.fromisoformat(_field(item, "Initiated").replace("Z", "+00:00"))
            .astimezone(UTC)
            .timestamp(),
        )
        for item in re.findall(r"<Upload>(.*?)</Upload>", text, re.DOTALL)
    ]
    if _field(text, "IsTruncated") != "true":
        return uploads, {}
    return uploads, {
        "key-marker": _field(text, "NextKeyMarker"),
        "upload-id-marker": _field(text, "NextUploadIdMarker"),
    }


def _field(text: str, name: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return html.unescape(found[1]) if found else ""


class _UploadApi:
    """The requests of S3 that list and abort multipart uploads.

    Args:
        address: The URL of the bucket.
        key: The access key.
    """

    def __init__(self, address: str, key: AwsKey) -> None:
        self._address = address
        self._key = key

    def list(self, prefix: str) -> list[Upload]:
        """Return the uploads of all keys with this prefix."""
        uploads: list[Upload] = []
        marker: dict[str, str] = {}
        for _ in range(_MAX_PAGES):
            page, marker = parse_uploads(self._send("GET", "", {"uploads": "", "prefix": prefix, **marker}))
            uploads += page
            if not marker:
                break
        return uploads

    def abort(self, upload: Upload) -> None:
        """Remove an upload and its parts."""
        try:
            self._send("DELETE", f"/{quote(upload.key, safe='/~')}", {"uploadId": upload.upload_id})
        except urllib.error.HTTPError as error:
            # Another process may have removed it.
            if error.code != http.HTTPStatus.NOT_FOUND:
                raise

    def _send(self, method: str, path: str, parameters: dict[str, str]) -> str:
        query = "&".join(
            f"{quote(name, safe='~')}={quote(parameters[name], safe='~')}" for name in sorted(parameters)
        )
        url = f"{self._address}{path}?{query}"
        return send(method, url, sign(method, url, self._key, datetime.now(UTC)))


def bucket_address(settings: Mapping[str, str], region: str) -> str:
    """Return the URL of the bucket in the settings."""
    endpoint = settings.get("endpoint")
    if settings.get("virtual_hosted_style_request", "").lower() == "true":
        # Such an endpoint contains the name of the bucket.
        return (endpoint or f"https://{settings['bucket']}.s3.{region}.amazonaws.com").rstrip("/")
    endpoint = endpoint or f"https://s3.{region}.amazonaws.com"
    return f"{endpoint.rstrip('/')}/{settings['bucket']}"
