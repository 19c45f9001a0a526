"""Expiry: an expired URL is replaced once, and the transfer continues from the last received byte."""

from __future__ import annotations

import pytest

from packagex_async import Artifact, ExportGoneError, LinkExpiredError, ProgressEvent, StorageError
from packagex_async.testing import Expired, Status
from tests.faults.responses import correct_response, text_response, truncated_response
from tests.faults.scenario import DownloadScenario, RawDownloadScenario

AFTER = 30_000
S3 = text_response(
    "403 Forbidden", "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
)
AZURE = (
    "<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>Signature not valid in the specified "
    "time frame: Start [Mon, 01 Jan 2024] - Expiry [Tue, 02 Jan 2024]</AuthenticationErrorDetail></Error>"
)
PLAIN = text_response("403 Forbidden", "<html><h1>403 Forbidden</h1><hr>nginx</html>")


@pytest.mark.one_connection
async def test_s3_access_denied_with_expiry_message(raw: RawDownloadScenario) -> None:
    """S3 reports expiry in the message of a 403; a new URL succeeds."""
    raw.respond_with(S3)
    await raw.download()
    assert (raw.retrieve_count, len(raw.storage.requests)) == (2, 2)
    assert raw.storage.requests[0].target != raw.storage.requests[1].target


async def test_s3_expired_token(raw: RawDownloadScenario) -> None:
    """A 400 with the code `ExpiredToken` counts as expiry."""
    raw.respond_with(text_response("400 Bad Request", "<Error><Code>ExpiredToken</Code></Error>"))
    await raw.download()


async def test_gcs_expired_token(raw: RawDownloadScenario) -> None:
    """The response of Google Cloud Storage with the same code counts as expiry."""
    text = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
    raw.respond_with(text_response("400 Bad Request", text))
    await raw.download()


async def test_azure_time_frame(raw: RawDownloadScenario) -> None:
    """Azure reports expiry as a time frame in the detail of a failed authentication."""
    raw.respond_with(text_response("403 Server failed to authenticate the request", AZURE))
    await raw.download()


async def test_r2_expired_request(raw: RawDownloadScenario) -> None:
    """R2 uses the code `ExpiredRequest`."""
    raw.respond_with(text_response("403 Forbidden", "<Error><Code>ExpiredRequest</Code></Error>"))
    await raw.download()


async def test_410_gone(raw: RawDownloadScenario) -> None:
    """nginx with `secure_link` is often configured to answer expired URLs with 410 and no text."""
    raw.respond_with(text_response("410 Gone"))
    await raw.download()


@pytest.mark.parametrize(
    "query",
    [
        "e=1700000000",
        "Expires=1700000000",
        "X-Amz-Date=20240101T000000Z&X-Amz-Expires=60",
        "X-Goog-Date=20240101T000000Z&X-Goog-Expires=60",
        "sv=2024-01-01&se=2024-01-01T00%3A00%3A00Z",
    ],
)
async def test_403_with_expired_url(raw: RawDownloadScenario, query: str) -> None:
    """A 403 without a reason counts as expiry if the expiry time in the URL has passed."""
    raw.server.query = query
    raw.respond_with(PLAIN)
    await raw.download()
    assert raw.retrieve_count == 2


async def test_server_clock_decides(raw: RawDownloadScenario) -> None:
    """The `Date` header of the refusal takes precedence over the clock of the client."""
    raw.server.query = "expires=4000000000"
    raw.respond_with(text_response("403 Forbidden", headers={"Date": "Mon, 01 Jan 2125 00:00:00 GMT"}))
    await raw.download()


async def test_403_with_valid_url(raw: RawDownloadScenario) -> None:
    """A 403 before the expiry time is final, and no new URL is requested."""
    raw.server.query = "expires=4000000000"
    raw.always_respond_with(PLAIN)
    assert (await raw.download_error(StorageError)).status == 403
    assert (raw.retrieve_count, len(raw.storage.requests)) == (1, 1)


async def test_403_with_other_reason(raw: RawDownloadScenario) -> None:
    """A signature mismatch is final."""
    raw.always_respond_with(
        text_response("403 Forbidden", "<Error><Code>SignatureDoesNotMatch</Code></Error>")
    )
    assert "SignatureDoesNotMatch" in str(await raw.download_error(StorageError))
    assert len(raw.storage.requests) == 1


async def test_expired_twice(raw: RawDownloadScenario) -> None:
    """A second refusal directly after a new URL is final."""
    raw.always_respond_with(S3)
    await raw.download_error(LinkExpiredError)
    assert (raw.retrieve_count, len(raw.storage.requests)) == (2, 2)


@pytest.mark.one_connection
async def test_expired_within_body(raw: RawDownloadScenario) -> None:
    """Only the rest is requested from the new URL."""
    raw.respond_with(truncated_response(AFTER), S3)
    assert (await raw.download()).resumed
    assert raw.storage.requested_ranges == [None, *[f"bytes={AFTER}-"] * 2]


@pytest.mark.one_connection
async def test_expired_repeatedly(raw: RawDownloadScenario) -> None:
    """The URL is renewed again as long as each one delivers new bytes."""
    raw.respond_with(*[truncated_response(AFTER), S3] * 3)
    assert (await raw.download()).resumed
    assert raw.retrieve_count == 1 + 3


async def test_one_renewal_for_four_artifacts(raw: RawDownloadScenario) -> None:
    """All URLs of an export expire together, and the export is retrieved once."""
    content = {artifact.value: raw.content for artifact in Artifact}
    raw.export_id = raw.server.add_export(content=content).id
    raw.versions = {artifact: [body] for artifact, body in content.items()}
    raw.always_respond_with(
        lambda request, stored: (S3 if request.url_number <= 4 else correct_response)(request, stored)
    )
    assert len((await raw.run(artifacts=None)).files) == 4
    assert raw.retrieve_count == 2


async def test_one_renewal_with_identical_urls(scenario: DownloadScenario) -> None:
    """New URLs may equal the old ones if signed in the same second; the export is still retrieved once."""
    for artifact in Artifact:
        scenario.server.inject(Expired(artifact=artifact))
    assert len((await scenario.run(artifacts=None)).files) == 4
    assert scenario.retrieve_count == 2


async def test_export_deleted_before_renewal(raw: RawDownloadScenario) -> None:
    """`ExportGoneError` is raised, and the last progress event contains it."""
    raw.respond_with(S3)
    events: list[ProgressEvent] = []
    async with raw.client() as px:
        export = await px.exports.retrieve(raw.export_id, include_csv=True, include_json=True)
        raw.server.delete_export(raw.export_id)
        with pytest.raises(ExportGoneError):
            await px.exports.download(export, raw.folder, on_progress=events.append)
    raw.check({})
    assert events[-1].kind == "failed"
    assert isinstance(events[-1].error, ExportGoneError)


async def test_artifact_missing_after_renewal(raw: RawDownloadScenario) -> None:
    """The export still exists, but has no URL for the artifact any more: the artifact fails."""
    raw.respond_with(S3)
    async with raw.client() as px:
        export = await px.exports.retrieve(raw.export_id, include_csv=True, include_json=True)
    raw.server.update_export(raw.export_id, artifacts=())
    assert "no longer" in str(await raw.download_error(LinkExpiredError, export=export))


async def test_api_unavailable_during_renewal(raw: RawDownloadScenario) -> None:
    """The error states that the URL has expired and why the renewal failed."""
    raw.respond_with(S3)
    async with raw.client() as px:
        export = await px.exports.retrieve(raw.export_id, include_csv=True, include_json=True)
    raw.server.inject(Status(503, on="api"), times=None)
    assert "503" in str(await raw.download_error(LinkExpiredError, export=export))


async def test_404_once(raw: RawDownloadScenario) -> None:
    """A 404 causes one renewal, because the new URL may point elsewhere."""
    raw.respond_with(text_response("404 Not Found"))
    await raw.download()


async def test_404_always(raw: RawDownloadScenario) -> None:
    """A 404 for the new URL as well is final, and not reported as expiry."""
    raw.always_respond_with(text_response("404 Not Found"))
    assert (await raw.download_error(StorageError)).status == 404
    assert len(raw.storage.requests) == 2


async def test_stream_with_expired_url(raw: RawDownloadScenario) -> None:
    """A stream renews its URL before its first byte."""
    raw.respond_with(S3)
    async with raw.client() as px:
        async with px.exports.stream(raw.export_id, "csv") as body:
            assert b"".join([block async for block in body]) == raw.content
    raw.check({})
