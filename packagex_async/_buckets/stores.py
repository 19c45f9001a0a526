"""Creates obstore stores. Credentials are found as the tools of each cloud find them."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packagex_async._buckets.keys import BucketUrl
from packagex_async._utils.redaction import sanitize
from packagex_async.errors import ConfigurationError

_MIN_RATE = 256 * 1024
"""Bytes per second. A slower connection is given up."""

_MIN_TIMEOUT = 60
_MAX_RETRIES = 6

_AZURE_NAMES = {
    "AZURE_STORAGE_ACCOUNT": "account_name",
    "AZURE_STORAGE_KEY": "account_key",
}
"""Variables of the Azure tools that obstore does not read."""

_AZURE_FIELDS = {
    "AccountName": "account_name",
    "AccountKey": "account_key",
    "BlobEndpoint": "endpoint",
    "SharedAccessSignature": "sas_key",
}
"""Fields of a connection string of Azure."""


def import_obstore() -> Any:
    """Return the module `obstore`.

    Raises:
        ConfigurationError: It is not installed, or cannot be imported.
    """
    try:
        import obstore
    except ImportError as error:
        raise ConfigurationError(
            f"buckets need the extra bucket: pip install 'packagex-async[bucket]' adds it ({error})"
        ) from error
    return obstore


def create_store(url: BucketUrl, options: Mapping[str, Any], *, buffered: int) -> Any:
    """Return the store of a bucket URL.

    Args:
        url: The URL.
        options: Keyword arguments of the store.
        buffered: The maximum number of bytes in transfer at the same time, on which timeouts depend.

    Raises:
        ConfigurationError: An option is invalid, or obstore is not installed.
    """
    store = import_obstore().store
    if url.scheme == "memory":
        if options:
            raise ConfigurationError(f"memory:// has no option {next(iter(options))!r}")
        return store.MemoryStore()
    # A part of an upload is one request, and the default timeout is too short for a part on a slow line.
    seconds = max(_MIN_TIMEOUT, buffered // _MIN_RATE)
    client_options = options.get("client_options") or {}
    if not isinstance(client_options, Mapping):
        raise ConfigurationError(f"client_options must be a dict, not {type(client_options).__name__}")
    arguments = {
        "retry_config": {"max_retries": _MAX_RETRIES},
        **_found_options(url.scheme, options),
        **options,
        "client_options": {"timeout": f"{seconds}s", **_client_variables(url.scheme), **client_options},
    }
    kinds = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
    try:
        return kinds[url.scheme](url.bucket, **arguments)
    except Exception as error:
        kind, reason = type(error).__name__, _reason(error)
    raise ConfigurationError(f"{url.scheme}://{url.bucket} cannot be used: {reason} ({kind})")


_CLIENT_VARIABLES = (
    "allow_http", "allow_invalid_certificates", "connect_timeout", "http1_only", "http2_only",
    "pool_idle_timeout", "proxy_ca_certificate", "proxy_excludes", "proxy_url", "read_timeout",
    "timeout", "user_agent",
)  # fmt: skip
_FLAGS = ("allow_http", "allow_invalid_certificates", "http1_only", "http2_only")


def _client_variables(scheme: str) -> dict[str, Any]:
    """Return the client options in variables such as `AWS_ALLOW_HTTP`.

    Obstore reads them only if it gets no client options as arguments.
    """
    prefix = {"s3": "AWS", "gs": "GOOGLE", "az": "AZURE"}[scheme]
    found: dict[str, Any] = {}
    for name in _CLIENT_VARIABLES:
        if value := os.environ.get(f"{prefix}_{name.upper()}"):
            found[name] = value.lower() in ("1", "true", "yes", "on") if name in _FLAGS else value
    return found


def _found_options(scheme: str, options: Mapping[str, Any]) -> dict[str, Any]:
    if scheme == "s3":
        return _aws_profile(options)
    return _azure_variables() if scheme == "az" else {}


def _aws_profile(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the credentials of an AWS profile, unless the environment or the options contain credentials."""
    arguments = [*options, *(options.get("config") or {})]
    names = {name.lower().removeprefix("aws_") for name in arguments}
    if "AWS_ACCESS_KEY_ID" in os.environ or names & {
        "access_key_id",
        "credential_provider",
        "skip_signature",
    }:
        return {}
    is_requested = "AWS_PROFILE" in os.environ
    if not is_requested and any(name in os.environ for name in _AWS_IDENTITIES):
        return {}
    profile = os.environ.get("AWS_PROFILE", "default")
    found = _read_profile(profile)
    if not is_requested and not found:
        return {}
    if "access_key_id" in found:
        return found
    try:
        from boto3.session import Session
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        if is_requested:
            raise ConfigurationError(
                f"the AWS profile {profile!r} contains no access key: install boto3 for other profiles"
            ) from None
        return found
    return {"credential_provider": Boto3CredentialProvider(Session(profile_name=profile))}


_AWS_IDENTITIES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_SKIP_SIGNATURE",
)  # fmt: skip


def _read_profile(profile: str) -> dict[str, str]:
    """Return the options of a profile in the files of the AWS tools: keys, token and region."""
    values: dict[str, str] = {}
    for variable, default, sections in (
        ("AWS_CONFIG_FILE", "~/.aws/config", (profile, f"profile {profile}")),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", (profile,)),
    ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(Path(os.environ.get(variable, default)).expanduser(), encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError, RuntimeError):
            continue
        for section in sections:
            if parser.has_section(section):
                values |= dict(parser.items(section))
    names = {
        "aws_access_key_id": "access_key_id",
        "aws_secret_access_key": "secret_access_key",
        "aws_session_token": "session_token",
        "region": "region",
    }
    if not {"AWS_REGION", "AWS_DEFAULT_REGION"}.isdisjoint(os.environ):
        del names["region"]
    return {name: values[key] for key, name in names.items() if key in values}


def _azure_variables() -> dict[str, str]:
    """Return the options in variables of the Azure tools that obstore does not read."""
    found = {option: os.environ[name] for name, option in _AZURE_NAMES.items() if name in os.environ}
    text = os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
    fields = (pair.partition("=") for pair in text.split(";"))
    return found | {_AZURE_FIELDS[name]: value for name, _, value in fields if name in _AZURE_FIELDS}


def _reason(error: Exception) -> str:
    """Return the first line of the text of obstore without the values of options, which are in quotes."""
    return sanitize(re.sub(r'"[^"]*"', '"..."', str(error).partition("\n")[0]))
