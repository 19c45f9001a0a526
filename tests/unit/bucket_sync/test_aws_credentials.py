"""The access key of a store, from each of its sources."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from obstore.store import S3Store

from packagex_async._bucket_sync.aws_credentials import find_key, find_settings
from tests.unit.bucket_sync.aws_server import aws_server

KEY = '{"AccessKeyId": "k", "SecretAccessKey": "s", "Token": "t"}'
STS = (
    "<AssumeRoleWithWebIdentityResponse><Credentials><AccessKeyId>k</AccessKeyId>"
    "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken></Credentials>"
    "</AssumeRoleWithWebIdentityResponse>"
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables of this machine, and its metadata service."""
    for name in [*os.environ]:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("id-token\n")
    return file


def found(**options: Any) -> tuple[str, str, str | None, str] | None:
    """Return the fields of the key of a store."""
    store = S3Store("b", **options)
    key = find_key(store, find_settings(store))
    return None if key is None else (key.key_id, key.secret, key.token, key.region)


def test_options_and_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options have precedence over variables, and AWS_REGION over AWS_DEFAULT_REGION."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert found() == ("k", "s", None, "eu-west-1")
    assert found(access_key_id="o", secret_access_key="p", token="t", region="r") == ("o", "p", "t", "r")
    assert found(skip_signature=True) is None


def test_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """The most specific variable is used."""
    for number, name in enumerate(("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")):
        monkeypatch.setenv(name, f"http://h{number}")
        assert find_settings(S3Store("b"))["endpoint"] == f"http://h{number}"
    assert find_settings(S3Store("b", endpoint="http://o"))["endpoint"] == "http://o"


def test_provider() -> None:
    """A credential provider has precedence."""
    key = {"access_key_id": "k", "secret_access_key": "s", "token": "t", "expires_at": None}
    assert found(credential_provider=lambda: key, region="r") == ("k", "s", "t", "r")
    with pytest.raises(ValueError, match="no access key"):
        found(credential_provider=dict)


def test_web_identity(monkeypatch: pytest.MonkeyPatch, token: Path) -> None:
    """The token of a Kubernetes service account is exchanged for a key."""
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/x")
    with aws_server({"POST /": STS}) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        assert found(region="r") == ("k", "s", "t", "r")
    ((request, _),) = server.requests
    assert "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx" in request
    assert request.endswith("WebIdentityToken=id-token")


@pytest.mark.parametrize("has_token", [True, False])
def test_container(monkeypatch: pytest.MonkeyPatch, token: Path, has_token: bool) -> None:
    """The service of the container is asked, with its token if it has one."""
    if has_token:
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
    with aws_server({"GET /key": KEY}) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/key")
        assert found() == ("k", "s", "t", "us-east-1")
    assert server.requests[0][1].get("authorization") == ("id-token" if has_token else None)


def test_container_without_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative address belongs to the host for containers."""
    with aws_server({"GET /key": KEY}) as server:
        monkeypatch.setattr("packagex_async._bucket_sync.aws_credentials._CONTAINER_HOST", server.url)
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/key")
        assert found() == ("k", "s", "t", "us-east-1")


def test_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without other settings, the metadata service of the machine is asked."""
    roles = "GET /latest/meta-data/iam/security-credentials/"
    responses = {"PUT /latest/api/token": "t0", roles: "role\n", f"{roles}role": KEY}
    with aws_server(responses) as server:
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", server.url)
        assert found() == ("k", "s", "t", "us-east-1")
    assert [headers.get("x-aws-ec2-metadata-token") for _, headers in server.requests] == [None, "t0", "t0"]


def test_invalid_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error."""
    with aws_server({"GET /key": "[]"}) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/key")
        with pytest.raises(ValueError, match="not a JSON object"):
            found()
