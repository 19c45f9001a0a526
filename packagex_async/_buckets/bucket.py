"""`Bucket`: object storage as the destination of downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packagex_async.errors import ConfigurationError

if TYPE_CHECKING:
    from packagex_async._buckets.keys import BucketUrl
    from packagex_async._buckets.objects import BucketObjects
    from packagex_async._buckets.portable import StoreSettings

_MIN_PART_SIZE = 5 * 1024 * 1024
"""The smallest part of a multipart upload that S3 and Google Cloud Storage accept."""

_STORES = {
    "S3Store": "s3",
    "GCSStore": "gs",
    "AzureStore": "az",
    "MemoryStore": "memory",
    "LocalStore": "file",
}


class Bucket:
    """Object storage as the destination of `download`, `download_all` and `export_and_download`.

    It needs the extra `bucket`. An object appears when the artifact is complete and verified. A small
    manifest object `_packagex/{id}.json` for each export is written last, so that a second run downloads only
    new and changed artifacts.

    A key is the path of the URL as a folder, then `prefix` literally, then the file name: `s3://data/exports`
    with the prefix `eu-` gives `exports/eu-exp_7xKyu1HY.csv`.

    A pickle of a bucket contains no credentials: another process finds them in its own environment.

    Credentials are found as the tools of each cloud find them: variables of the environment, the AWS profile,
    application default credentials, managed or workload identity. They are never part of a message.

    An artifact of more than `chunk_size` bytes is uploaded in parts while it arrives, and needs up to
    `chunk_size * (max_concurrency + 1)` bytes of memory.

    Args:
        url_or_store: `"s3://bucket/folder"`, `"gs://bucket/folder"`, `"az://container/folder"`, `"memory://"`
            (for tests), or a store of obstore.
        prefix: The start of each file name. It may contain slashes.
        chunk_size: The number of bytes of a part of an upload.
        max_concurrency: The maximum number of parts of one artifact that are uploaded at the same time.
        **store_options: Keyword arguments for the store of obstore, such as `endpoint`, `client_options` or
            `retry_config`.

    Raises:
        ConfigurationError: The URL, the prefix or an option is invalid, or obstore is not installed.
    """

    def __init__(
        self,
        url_or_store: Any,
        *,
        prefix: str = "",
        chunk_size: int = 8 * 2**20,
        max_concurrency: int = 4,
        **store_options: Any,
    ) -> None:
        # Clients need this class, but not the modules that it uses.
        from packagex_async._buckets.keys import join_prefix, parse_bucket_url
        from packagex_async._buckets.objects import BucketObjects

        _check_positive("chunk_size", chunk_size)
        _check_positive("max_concurrency", max_concurrency)
        base = ""
        if isinstance(url_or_store, str):
            url = parse_bucket_url(url_or_store)
            start = join_prefix(url.folder, prefix)
            store = _create_store(url, store_options, chunk_size * max_concurrency)
        else:
            store = url_or_store
            url, base = _describe(store)
            start = join_prefix("", prefix)
            if store_options:
                raise ConfigurationError(
                    f"{next(iter(store_options))!r} is an option of the store: pass it to the store"
                )
        _check_provider(getattr(store, "credential_provider", None))
        if url.scheme in ("s3", "gs") and chunk_size < _MIN_PART_SIZE:
            raise ConfigurationError(f"chunk_size must be {_MIN_PART_SIZE} or more, not {chunk_size}")
        self._url = f"{url.scheme}://{url.bucket}/{base}{start}"
        self._objects = BucketObjects(
            store,
            url=f"{url.scheme}://{url.bucket}",
            base=base,
            prefix=start,
            chunk_size=chunk_size,
            max_concurrency=max_concurrency,
        )

    @property
    def url(self) -> str:
        """The URL of the bucket with the text before each file name. It contains no credentials."""
        return self._url

    def __repr__(self) -> str:
        return f"Bucket({self._url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        from packagex_async._buckets.portable import store_settings

        objects = self._objects
        settings = store_settings(objects)
        return _restore, (settings, objects.prefix, objects.chunk_size, objects.max_concurrency)


def _restore(settings: StoreSettings, prefix: str, chunk_size: int, max_concurrency: int) -> Bucket:
    """Return a bucket in another process."""
    return Bucket(settings.new_store(), prefix=prefix, chunk_size=chunk_size, max_concurrency=max_concurrency)


def objects_of(bucket: Bucket) -> BucketObjects:
    """Return the objects of a bucket."""
    return bucket._objects  # pyright: ignore[reportPrivateUsage]


def _create_store(url: BucketUrl, options: dict[str, Any], buffered: int) -> Any:
    from packagex_async._buckets.stores import create_store

    return create_store(url, options, buffered=buffered)


def _describe(store: Any) -> tuple[BucketUrl, str]:
    """Return the URL of a store, and its prefix with a slash at the end.

    Raises:
        ConfigurationError: It is not a store of obstore that can be written.
    """
    from packagex_async._buckets.keys import BucketUrl, check_key

    scheme = _STORES.get(type(store).__name__)
    if scheme is None or type(store).__module__.split(".")[0] not in ("obstore", "builtins"):
        raise ConfigurationError(
            'a bucket must be a URL such as "s3://bucket/folder", or a store of obstore, not '
            f"{type(store).__name__}: pass a path of a directory without Bucket"
        )
    if scheme == "memory":
        return BucketUrl(scheme, "", ""), ""
    prefix = str(store.prefix or "").strip("/")
    if scheme == "file":
        return BucketUrl(scheme, f"/{prefix}" if prefix else "", ""), ""
    bucket = store.config.get("bucket") or store.config.get("container_name") or ""
    return BucketUrl(scheme, bucket, ""), f"{check_key(prefix, 'the prefix of the store')}/" if prefix else ""


def _check_provider(provider: Any) -> None:
    from inspect import iscoroutinefunction

    if iscoroutinefunction(provider) or iscoroutinefunction(getattr(provider, "__call__", None)):  # noqa: B004
        raise ConfigurationError("credential_provider must not be asynchronous: it is called in a thread")


def _check_positive(name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{name} must be an integer of 1 or more, not {value!r}")
