"""Translation of errors of obstore."""

from __future__ import annotations

import errno

import pytest
from obstore.exceptions import AlreadyExistsError, GenericError, PermissionDeniedError

from packagex_async import Artifact
from packagex_async._buckets.bucket_error import (
    BucketError,
    ObjectChangedError,
    ObjectNotFoundError,
    bucket_destination_error,
    translate,
    translate_errors,
)

SECRET = "sig-c4f3"


@pytest.mark.parametrize(
    ("error", "key", "kind", "number", "affects_all"),
    [
        (FileNotFoundError("x"), "a.csv", ObjectNotFoundError, errno.ENOENT, False),
        (FileNotFoundError("x"), "", BucketError, errno.ENXIO, True),
        (FileNotFoundError("<Code>NoSuchBucket</Code>"), "a", BucketError, errno.ENXIO, True),
        (GenericError("<Code>NoSuchBucket</Code>"), "", BucketError, errno.ENXIO, True),
        (AlreadyExistsError("x"), "a", ObjectChangedError, errno.EEXIST, False),
        (PermissionDeniedError("x"), "a", BucketError, errno.EACCES, True),
        (GenericError("<Code>InvalidAccessKeyId</Code>"), "a", BucketError, errno.EACCES, True),
        (GenericError("error sending request"), "a", BucketError, errno.EHOSTUNREACH, True),
        (GenericError("x\nDebug source: kind: Connect"), "a", BucketError, errno.EHOSTUNREACH, True),
        (GenericError("PUT http://169.254.169.254/latest/api/token"), "a", BucketError, errno.EACCES, True),
        (GenericError("PUT http://h/latest/api/token"), "a", BucketError, errno.EACCES, True),
        (GenericError("GET http://h/b?x - HTTP error: builder error"), "a", BucketError, errno.ENXIO, True),
        (GenericError("<Code>ExpiredToken</Code>"), "a", BucketError, errno.EACCES, True),
        (GenericError("Received redirect without LOCATION"), "a", BucketError, errno.ENXIO, True),
        (GenericError("status 507 Insufficient Storage"), "a", BucketError, errno.ENOSPC, True),
        (PermissionDeniedError("<Code>QuotaExceeded</Code>"), "a", BucketError, errno.ENOSPC, True),
        (GenericError("No space left on device (os error 28)"), "a", BucketError, errno.ENOSPC, True),
        (GenericError("status code: 503"), "a", BucketError, errno.EIO, False),
        (GenericError("PUT http://h/b/Forbidden.csv failed"), "a", BucketError, errno.EIO, False),
        (ValueError("x"), "a", BucketError, errno.EIO, False),
    ],
)
def test_kinds(error: Exception, key: str, kind: type, number: int, affects_all: bool) -> None:
    """Each error gets an error number, and says whether all operations would fail."""
    found = translate(error, "s3://b", key)
    assert (type(found), found.errno, found.affects_all) == (kind, number, affects_all)


def test_status_is_shown() -> None:
    """A response without a code of S3 is described by its status."""
    error = translate(GenericError("Server returned non-2xx status code: 502 Bad Gateway"), "s3://b", "a")
    assert str(error) == "the object storage refused the request (status 502)"


def test_texts_of_obstore_are_not_shown() -> None:
    """They may contain signatures."""
    with pytest.raises(BucketError) as caught, translate_errors("az://c", "a.csv"):
        raise GenericError(f"PUT https://acct/c/a.csv?{SECRET} status 500")
    error = bucket_destination_error(caught.value, export_id="exp_1", artifact=Artifact.CSV)
    assert SECRET not in f"{error} {error!r} {error.__cause__!r} {caught.value.__cause__!r}"
    assert "az://c/a.csv cannot be written" in str(error)
    assert error.filename == "az://c/a.csv"


def test_errors_of_the_package_stay() -> None:
    """They are not translated again."""
    with pytest.raises(ObjectNotFoundError), translate_errors("s3://b"):
        raise ObjectNotFoundError("x", "s3://b/a")
