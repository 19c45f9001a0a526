"""Stores of obstore, and the credentials that they get."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from packagex_async import ConfigurationError
from packagex_async._buckets import stores
from packagex_async._buckets.keys import parse_bucket_url

CONNECTION = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=a2V5;EndpointSuffix=core.windows.net"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove the variables of this machine."""
    import os

    for name in [*os.environ]:
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def create(url: str, **options: Any) -> Any:
    return stores.create_store(parse_bucket_url(url), options, buffered=32 * 2**20)


def test_timeouts_depend_on_the_size_of_parts() -> None:
    """A part on a slow line does not time out; options of the caller have precedence."""
    assert create("s3://b").client_options["timeout"] == "128s"
    assert create("s3://b", client_options={"timeout": "7s"}).client_options["timeout"] == "7s"


def test_variables_of_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables such as `AWS_ALLOW_HTTP` apply besides other client options."""
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_TIMEOUT", "9s")
    options = create("s3://b").client_options
    assert (options["allow_http"], options["timeout"]) == ("true", "9s")


def test_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Key, token and region come from the files of the AWS tools."""
    (tmp_path / "config").write_text("[profile night]\nregion = eu-west-1\n")
    (tmp_path / "credentials").write_text(
        "[night]\naws_access_key_id = K\naws_secret_access_key = S\naws_session_token = T\n"
    )
    assert create("s3://b").config == {"bucket": "b"}
    monkeypatch.setenv("AWS_PROFILE", "night")
    config = create("s3://b").config
    assert (config["access_key_id"], config["region"]) == ("K", "eu-west-1")
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    assert "region" not in create("s3://b").config
    assert "access_key_id" not in create("s3://b", skip_signature=True).config
    config = create("s3://b", config={"access_key_id": "C", "secret_access_key": "S"}).config
    assert config["access_key_id"] == "C"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert create("s3://b").config == {"bucket": "b"}


def test_profile_without_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It needs boto3 if it was requested; the default profile is optional."""
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    (tmp_path / "config").write_text("[default]\nsso_start_url = https://x\nregion = eu-west-1\n")
    assert create("s3://b").config == {"bucket": "b", "region": "eu-west-1"}
    monkeypatch.setenv("AWS_PROFILE", "default")
    with pytest.raises(ConfigurationError, match="boto3"):
        create("s3://b")


def test_unreadable_profiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files that cannot be parsed are ignored, also beside a web identity."""
    (tmp_path / "config").write_text("no section\n")
    assert create("s3://b").config == {"bucket": "b"}
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")
    assert create("s3://b").config == {"bucket": "b"}


def test_variables_of_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of the Azure tools and a connection string are read."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "other")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", CONNECTION)
    assert create("az://c").config["account_name"] == "acct"


def test_google() -> None:
    """A bucket needs no options."""
    assert create("gs://b").config["bucket"] == "b"


def test_memory() -> None:
    """Each bucket in memory is a new one."""
    assert create("memory://") is not create("memory://")


def test_invalid_options() -> None:
    """The message has the name of the option, and no value."""
    with pytest.raises(ConfigurationError, match="nonsense") as caught:
        create("s3://b", nonsense="s3cr3t")
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="Duration") as caught:
        create("s3://b", client_options={"timeout": "s3cr3t"})
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="client_options must be a dict"):
        create("s3://b", client_options="timeout")
    with pytest.raises(ConfigurationError, match="memory"):
        create("memory://", region="x")


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigurationError, match=r"packagex-async\[bucket\]"):
        create("s3://b")


def test_other_profiles_need_boto3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A profile for single sign-on gets a credential provider of boto3."""
    (tmp_path / "config").write_text("[profile sso]\nsso_start_url = https://x\n")
    monkeypatch.setenv("AWS_PROFILE", "sso")

    class Provider:
        config: dict[str, str] = {}  # noqa: RUF012

        def __init__(self, session: object) -> None:
            self.session = session

        def __call__(self) -> dict[str, object]:
            return {"access_key_id": "k", "secret_access_key": "s", "expires_at": None}

    session, provider = ModuleType("boto3.session"), ModuleType("obstore.auth.boto3")
    session.Session = lambda profile_name: profile_name  # type: ignore[attr-defined]
    provider.Boto3CredentialProvider = Provider  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "boto3.session", session)
    monkeypatch.setitem(sys.modules, "boto3", ModuleType("boto3"))
    monkeypatch.setitem(sys.modules, "obstore.auth.boto3", provider)
    assert create("s3://b").credential_provider.session == "sso"
