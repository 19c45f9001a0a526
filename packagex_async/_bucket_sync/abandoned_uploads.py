"""Removal of multipart uploads that a killed process has left behind in S3.

Obstore cannot list multipart uploads, so this module sends the requests itself. It needs an access key in the
options, the environment, the AWS profile, or a credential provider. Without one, only a lifecycle rule of the
bucket removes abandoned uploads. Azure removes uncommitted blocks by itself, and Google Cloud Storage needs a
lifecycle rule.
"""

from __future__ import annotations

import html
import http.client
import os
import re
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import attrs

from packagex_async import _logs
from packagex_async._bucket_sync.aws_signature import AwsKey, sign
from packagex_async._buckets.objects import BucketObjects

MAX_AGE = 24 * 3600
"""Seconds. An older upload is not in progress any more."""

_TIMEOUT = 15
_MAX_RESPONSE = 8 * 1024 * 1024
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
        key = _find_key(objects.store)
        if key is None:
            return
        api = _UploadApi(_bucket_address(objects.store, key.region), key)
        for upload in api.list(f"{objects.base}{objects.prefix}"):
            if upload.key.endswith(_SUFFIXES) and upload.initiated < now - MAX_AGE:
                api.abort(upload)
    except (OSError, ValueError, http.client.HTTPException) as error:
        status = error.code if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        _logs.uploads_not_removed(objects.url, str(status))


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
        headers = sign(method, url, self._key, datetime.now(UTC))
        request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310  # checked below
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("not an http URL")
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
            return str(response.read(_MAX_RESPONSE).decode("utf-8", "replace"))


def _find_key(store: Any) -> AwsKey | None:
    """Return the access key of a store, or `None` if it has no static key and no credential provider."""
    options = {str(name).lower().removeprefix("aws_"): value for name, value in store.config.items()}
    region = options.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if store.credential_provider is not None:
        found = store.credential_provider()
        values = found if isinstance(found, dict) else {}
    else:
        values = (
            options
            if "access_key_id" in options
            else {
                name.lower().removeprefix("aws_"): value
                for name, value in os.environ.items()
                if name in _VARIABLES
            }
        )
    if not values.get("access_key_id") or not values.get("secret_access_key"):
        return None
    token = values.get("token") or values.get("session_token")
    return AwsKey(values["access_key_id"], values["secret_access_key"], token, region or "us-east-1")


_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def _bucket_address(store: Any, region: str) -> str:
    options = {str(name).lower().removeprefix("aws_"): value for name, value in store.config.items()}
    variables = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    endpoint = options.get("endpoint") or options.get("endpoint_url")
    endpoint = endpoint or next((os.environ[name] for name in variables if os.environ.get(name)), None)
    endpoint = endpoint or f"https://s3.{region}.amazonaws.com"
    is_virtual = str(options.get("virtual_hosted_style_request", "")).lower() == "true"
    # A virtual-hosted endpoint contains the name of the bucket.
    return endpoint.rstrip("/") if is_virtual else f"{endpoint.rstrip('/')}/{options['bucket']}"
