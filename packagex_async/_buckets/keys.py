"""The keys of objects below a URL and a prefix. Pure functions, without I/O."""

from __future__ import annotations

import re

import attrs

from packagex_async._utils.redaction import sanitize
from packagex_async.errors import ConfigurationError

SCHEMES = ("s3", "gs", "az", "memory")
"""The schemes of bucket URLs."""

MANIFESTS = "_packagex/"
"""The folder of the manifest objects, below the prefix."""

# The patterns are compiled at their first use.
_URL = r"(?s)(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<bucket>[^/]*)(?P<path>.*)"
_BUCKET = r"[A-Za-z0-9$][A-Za-z0-9._$-]*"
_HELP = 'a bucket must be a URL such as "s3://bucket/folder", "gs://bucket" or "az://container"'


@attrs.frozen(eq=False, repr=False)
class BucketUrl:
    """The parts of a bucket URL.

    Attributes:
        scheme: One of `SCHEMES`.
        bucket: The name of the bucket or container; empty for `memory`.
        folder: The path of the folder, without a slash at the start or end.
    """

    scheme: str
    bucket: str
    folder: str


def is_bucket_url(text: str) -> bool:
    """Return whether `text` has the form of a URL, and not of a path."""
    return re.fullmatch(_URL, text) is not None


def parse_bucket_url(text: str) -> BucketUrl:
    """Return the parts of a bucket URL.

    Raises:
        ConfigurationError: It is not the URL of a bucket, or has user information, a query or a fragment.
    """
    found = re.fullmatch(_URL, text)
    if found is None:
        raise ConfigurationError(f"{_HELP}, not {sanitize(text)!r}")
    scheme, bucket, path = found["scheme"].lower(), found["bucket"], found["path"]
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise ConfigurationError(f"{scheme}:// is not supported: the schemes of buckets are {known}")
    if "@" in bucket or "?" in bucket + path or "#" in bucket:
        raise ConfigurationError(
            f"{scheme}:// URLs have no user information, query or fragment: credentials are read from the "
            "environment, and options are keyword arguments"
        )
    if scheme != "memory" and not re.fullmatch(_BUCKET, bucket):
        raise ConfigurationError(f"{_HELP}: {sanitize(text)!r} has no valid name of a bucket")
    if scheme == "memory" and bucket:
        bucket, path = "", f"{bucket}{path}"
    return BucketUrl(scheme, bucket, check_key(path.strip("/"), "the path of the URL"))


def join_prefix(folder: str, prefix: str) -> str:
    """Return the text before each file name: the folder, then the prefix literally.

    Raises:
        ConfigurationError: The prefix cannot be part of a key.
    """
    if not isinstance(prefix, str):
        raise ConfigurationError(f"prefix must be a string, not {type(prefix).__name__}")
    prefix = prefix.lstrip("/")
    *parents, _ = prefix.split("/")
    check_key("/".join(parents), "prefix")
    check_key(prefix.rpartition("/")[2].strip(".") and prefix.rpartition("/")[2], "prefix")
    return f"{folder}/{prefix}" if folder else prefix


def check_key(key: str, name: str) -> str:
    """Return `key` if object stores accept it.

    Args:
        key: A key without a slash at the start or end, or an empty text.
        name: Its name in the message.

    Raises:
        ConfigurationError: It has an empty, `.` or `..` segment, or a control character.
    """
    is_invalid = any(segment in ("", ".", "..") for segment in key.split("/")) if key else False
    if is_invalid or not _is_text(key):
        raise ConfigurationError(
            f"{name} must not contain empty segments, '.', '..' or control characters: {sanitize(key)!r}"
        )
    return key


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return not any(ord(character) < 32 or ord(character) == 127 for character in key)
