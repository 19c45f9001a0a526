"""The settings and the access key of a store for S3, found as obstore finds them. Blocking calls."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from packagex_async._bucket_sync.aws_http import send
from packagex_async._bucket_sync.aws_signature import AwsKey

Settings = Mapping[str, str]
"""The values of options and variables, by the name of the option."""

_NAMES = {
    "default_region": "region",
    "endpoint_url": "endpoint",
    "endpoint_url_s3": "endpoint",
    "token": "session_token",
}
"""Other names of options."""

_CONTAINER_HOST = "http://169.254.170.2"
_MACHINE_HOST = "http://169.254.169.254"


def find_settings(store: Any) -> dict[str, str]:
    """Return the settings of a store: its options, and the variables of the environment."""
    found: dict[str, str] = {}
    # In this order, AWS_REGION has precedence over AWS_DEFAULT_REGION, and AWS_ENDPOINT_URL_S3 over others.
    for name in sorted(os.environ):
        if name.startswith("AWS_") and os.environ[name]:
            found[_option_of(name)] = os.environ[name]
    return found | {_option_of(name): str(value) for name, value in store.config.items()}


def find_key(store: Any, settings: Settings) -> AwsKey | None:
    """Return the access key of a store, or `None` if its requests are not signed.

    Raises:
        OSError: The service that provides the key does not respond.
        ValueError: Its response is not valid.
        HTTPException: Likewise.
    """
    region = settings.get("region", "us-east-1")
    if store.credential_provider is not None:
        return _new_key(store.credential_provider(), region)
    if settings.get("skip_signature", "").lower() == "true":
        return None
    for name, read in _SOURCES.items():
        if name in settings:
            return _new_key(read(settings), region)
    return _new_key(_read_machine(settings), region)


def _option_of(name: str) -> str:
    option = name.lower().removeprefix("aws_")
    return _NAMES.get(option, option)


def _read_settings(settings: Settings) -> Settings:
    return settings


def _read_web_identity(settings: Settings) -> Mapping[str, str]:
    """Exchange the token of a Kubernetes service account for a key. API: AssumeRoleWithWebIdentity."""
    region = settings.get("region", "us-east-1")
    query = urlencode(
        {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": settings.get("role_arn", ""),
            "RoleSessionName": settings.get("role_session_name", "packagex-async"),
            "WebIdentityToken": Path(settings["web_identity_token_file"]).read_text(encoding="utf-8").strip(),
        }
    )
    address = settings.get("endpoint_url_sts", f"https://sts.{region}.amazonaws.com")
    text = send("POST", f"{address.rstrip('/')}/?{query}")
    return dict(re.findall(r"<(AccessKeyId|SecretAccessKey|SessionToken)>([^<]*)<", text))


def _read_container(settings: Settings) -> Mapping[str, str]:
    """Ask the service that provides the keys of a container."""
    address = settings.get("container_credentials_full_uri")
    address = address or f"{_CONTAINER_HOST}{settings['container_credentials_relative_uri']}"
    headers = {}
    if file := settings.get("container_authorization_token_file"):
        headers["Authorization"] = Path(file).read_text(encoding="utf-8").strip()
    return _parse(send("GET", address, headers, is_local=True))


def _read_machine(settings: Settings) -> Mapping[str, str]:
    """Ask the service that provides the keys of a virtual machine."""
    address = settings.get("metadata_endpoint", _MACHINE_HOST).rstrip("/")
    lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    token = send("PUT", f"{address}/latest/api/token", lifetime, is_local=True)
    headers = {"X-aws-ec2-metadata-token": token}
    roles = f"{address}/latest/meta-data/iam/security-credentials/"
    role = send("GET", roles, headers, is_local=True).strip()
    return _parse(send("GET", f"{roles}{role}", headers, is_local=True))


_SOURCES: dict[str, Callable[[Settings], Mapping[str, str]]] = {
    "access_key_id": _read_settings,
    "web_identity_token_file": _read_web_identity,
    "container_credentials_relative_uri": _read_container,
    "container_credentials_full_uri": _read_container,
}
"""The sources of keys by the setting that selects them, in the order in which obstore tries them."""


def _parse(text: str) -> Mapping[str, str]:
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    return values


def _new_key(values: Mapping[str, str], region: str) -> AwsKey:
    """Return the key in the settings, or in a response in the notation of AWS."""
    key_id = values.get("access_key_id") or values.get("AccessKeyId")
    secret = values.get("secret_access_key") or values.get("SecretAccessKey")
    if not key_id or not secret:
        raise ValueError("no access key")
    names = ("token", "session_token", "SessionToken", "Token")
    token = next((values[name] for name in names if values.get(name)), None)
    return AwsKey(key_id, secret, token, region)
