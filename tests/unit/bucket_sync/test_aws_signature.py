"""Signature Version 4."""

from __future__ import annotations

from datetime import UTC, datetime

from packagex_async._bucket_sync.aws_signature import AwsKey, sign

KEY = AwsKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None, "us-east-1")
NOW = datetime(2013, 5, 24, tzinfo=UTC)


def test_example_of_the_documentation() -> None:
    """The signature of `GET Bucket (List Objects)` in the documentation of S3."""
    url = "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J"
    assert sign("GET", url, KEY, NOW)["authorization"].endswith(
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def test_token() -> None:
    """The token of a temporary key is sent and signed."""
    headers = sign("GET", "https://b.example/", AwsKey("k", "s", "t", "r"), NOW)
    assert headers["x-amz-security-token"] == "t"
    assert "x-amz-security-token" in headers["authorization"]
