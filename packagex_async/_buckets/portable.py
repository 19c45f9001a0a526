"""Buckets for other processes: the settings of a store without its credentials.

The process that restores a bucket finds credentials in its own environment, as for a bucket from a URL.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import attrs

from packagex_async._buckets.keys import BucketUrl
from packagex_async._buckets.objects import BucketObjects
from packagex_async._buckets.stores import create_store
from packagex_async.errors import ConfigurationError

# Only options without secrets are listed. Headers, for example, may contain a token.
_OPTIONS = {
    "S3Store": (
        "checksum_algorithm", "conditional_put", "copy_if_not_exists", "default_region",
        "disable_bulk_delete", "disable_tagging", "endpoint", "region", "request_payer",
        "server_side_encryption", "skip_signature", "sse_bucket_key_enabled", "sse_kms_key_id",
        "unsigned_payload", "virtual_hosted_style_request",
    ),
    "GCSStore": ("base_url", "skip_signature"),
    "AzureStore": (
        "account_name", "disable_tagging", "endpoint", "skip_signature", "use_emulator",
        "use_fabric_endpoint",
    ),
}  # fmt: skip
_CLIENT_OPTIONS = (
    "allow_http", "allow_invalid_certificates", "connect_timeout", "default_content_type", "http1_only",
    "http2_keep_alive_interval", "http2_keep_alive_timeout", "http2_keep_alive_while_idle", "http2_only",
    "pool_idle_timeout", "pool_max_idle_per_host", "proxy_ca_certificate", "proxy_excludes", "proxy_url",
    "randomize_addresses", "read_timeout", "root_certificate", "timeout", "user_agent",
)  # fmt: skip
_SCHEMES = {"S3Store": "s3", "GCSStore": "gs", "AzureStore": "az"}


@attrs.frozen(kw_only=True, eq=False, repr=False)
class StoreSettings:
    """The settings of a store, without credentials.

    Attributes:
        kind: The name of its class.
        bucket: The name of the bucket or container, or the path of a directory.
        prefix: The prefix of the store itself.
        options: The options of the store.
    """

    kind: str
    bucket: str
    prefix: str | None
    options: dict[str, Any]

    def new_store(self) -> Any:
        """Return a store with these settings, and the credentials of this process.

        Raises:
            ConfigurationError: obstore is not installed, or an option is invalid.
        """
        if self.kind == "LocalStore":
            return importlib.import_module("obstore.store").LocalStore(self.bucket or None)
        options = {**self.options, **({"prefix": self.prefix} if self.prefix else {})}
        return create_store(BucketUrl(_SCHEMES[self.kind], self.bucket, ""), options, buffered=0)


def store_settings(objects: BucketObjects) -> StoreSettings:
    """Return the settings of the store of a bucket.

    Raises:
        ConfigurationError: The store exists in this process only.
    """
    store, kind = objects.store, objects.kind
    if kind == "LocalStore":
        return StoreSettings(kind=kind, bucket=str(store.prefix or ""), prefix=None, options={})
    if kind not in _OPTIONS:
        raise ConfigurationError(
            "a memory:// bucket exists in one process only, and cannot be sent to another: use s3://, gs:// "
            "or az://"
        )
    config = store.config
    options = _selected(config, _OPTIONS[kind])
    if store.client_options:
        options["client_options"] = _selected(store.client_options, _CLIENT_OPTIONS)
    if store.retry_config:
        options["retry_config"] = store.retry_config
    bucket = config.get("bucket") or config.get("container_name") or ""
    return StoreSettings(kind=kind, bucket=bucket, prefix=str(store.prefix or "") or None, options=options)


def _selected(options: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the options with these names, except URLs with a password or a query."""
    return {name: options[name] for name in names if name in options and not _has_secret(options[name])}


def _has_secret(value: object) -> bool:
    return isinstance(value, str) and "://" in value and ("@" in value or "?" in value)
