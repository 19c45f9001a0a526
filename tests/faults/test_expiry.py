"""Expiry: a link that has died is replaced once, and the transfer goes on from the byte it has reached."""

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
async def test_s3_access_denied_because_expired(raw: RawDownloadScenario) -> None:
    """S3's 403 tells of expiry in its message; a fresh link brings the object."""
    raw.respond_with(S3)
    await raw.download()
    assert (raw.retrieve_count, len(raw.storage.requests)) == (2, 2)
    assert raw.storage.requests[0].target != raw.storage.requests[1].target


async def test_s3_expired_token(raw: RawDownloadScenario) -> None:
    """A 400 whose code is `ExpiredToken` is expiry, too."""
    raw.respond_with(text_response("400 Bad Request", "<Error><Code>ExpiredToken</Code></Error>"))
    await raw.download()


async def test_gcs_expired_token(raw: RawDownloadScenario) -> None:
    """As is Google's, which says so in words."""
    text = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
    raw.respond_with(text_response("400 Bad Request", text))
    await raw.download()


async def test_azure_out_of_its_time_frame(raw: RawDownloadScenario) -> None:
    """Azure speaks of a time frame in the detail of a failed authentication."""
    raw.respond_with(text_response("403 Server failed to authenticate the request", AZURE))
    await raw.download()


async def test_r2_expired_request(raw: RawDownloadScenario) -> None:
    """R2's code is another one."""
    raw.respond_with(text_response("403 Forbidden", "<Error><Code>ExpiredRequest</Code></Error>"))
    await raw.download()


async def test_410_gone(raw: RawDownloadScenario) -> None:
    """nginx's `secure_link` is often set to answer an outlived link with a bare 410."""
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
async def test_a_plain_403_for_a_link_that_says_it_has_expired(raw: RawDownloadScenario, query: str) -> None:
    """The refusal tells nothing, but the expiry that stands in the URL has passed."""
    raw.server.query = query
    raw.respond_with(PLAIN)
    await raw.download()
    assert raw.retrieve_count == 2


async def test_the_hosts_clock_decides(raw: RawDownloadScenario) -> None:
    """Where the client's clock says the link still lives, the `Date` of the refusal may say otherwise."""
    raw.server.query = "expires=4000000000"
    raw.respond_with(text_response("403 Forbidden", headers={"Date": "Mon, 01 Jan 2125 00:00:00 GMT"}))
    await raw.download()


async def test_a_plain_403_for_a_link_that_lives(raw: RawDownloadScenario) -> None:
    """It is a refusal, and no fresh link is asked for."""
    raw.server.query = "expires=4000000000"
    raw.always_respond_with(PLAIN)
    assert (await raw.download_error(StorageError)).status == 403
    assert (raw.retrieve_count, len(raw.storage.requests)) == (1, 1)


async def test_access_denied_for_another_reason(raw: RawDownloadScenario) -> None:
    """A signature that does not match would not match again."""
    raw.always_respond_with(
        text_response("403 Forbidden", "<Error><Code>SignatureDoesNotMatch</Code></Error>")
    )
    assert "SignatureDoesNotMatch" in str(await raw.download_error(StorageError))
    assert len(raw.storage.requests) == 1


async def test_a_fresh_link_that_has_expired_too(raw: RawDownloadScenario) -> None:
    """A second refusal right after a fresh link is final."""
    raw.always_respond_with(S3)
    await raw.download_error(LinkExpiredError)
    assert (raw.retrieve_count, len(raw.storage.requests)) == (2, 2)


@pytest.mark.one_connection
async def test_a_link_that_dies_within_the_body(raw: RawDownloadScenario) -> None:
    """The fresh one is asked for the rest only."""
    raw.respond_with(truncated_response(AFTER), S3)
    assert (await raw.download()).resumed
    assert raw.storage.requested_ranges == [None, *[f"bytes={AFTER}-"] * 2]


@pytest.mark.one_connection
async def test_links_that_die_again_and_again(raw: RawDownloadScenario) -> None:
    """As long as each brings new bytes, another is asked for."""
    raw.respond_with(*[truncated_response(AFTER), S3] * 3)
    assert (await raw.download()).resumed
    assert raw.retrieve_count == 1 + 3


async def test_one_fresh_export_for_four_artifacts(raw: RawDownloadScenario) -> None:
    """All links of an export die at once; it is retrieved once for all of them."""
    content = {artifact.value: raw.content for artifact in Artifact}
    raw.export_id = raw.server.add_export(content=content).id
    raw.versions = {artifact: [body] for artifact, body in content.items()}
    raw.always_respond_with(
        lambda request, stored: (S3 if request.url_number <= 4 else correct_response)(request, stored)
    )
    assert len((await raw.run(artifacts=None)).files) == 4
    assert raw.retrieve_count == 2


async def test_one_fresh_export_whose_links_read_like_the_old_ones(scenario: DownloadScenario) -> None:
    """A link may be signed twice within a second; four artifacts still retrieve the export once."""
    for artifact in Artifact:
        scenario.server.inject(Expired(artifact=artifact))
    assert len((await scenario.run(artifacts=None)).files) == 4
    assert scenario.retrieve_count == 2


async def test_an_export_that_is_gone_when_retrieved_again(raw: RawDownloadScenario) -> None:
    """It was deleted meanwhile: no link will ever come, and the error and the last event say so."""
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


async def test_an_artifact_that_is_no_longer_offered(raw: RawDownloadScenario) -> None:
    """The export is there still, but its fresh copy has no such link."""
    raw.respond_with(S3)
    async with raw.client() as px:
        export = await px.exports.retrieve(raw.export_id, include_csv=True, include_json=True)
    raw.server.update_export(raw.export_id, artifacts=())
    assert "no longer" in str(await raw.download_error(LinkExpiredError, export=export))


async def test_an_api_that_is_down_when_a_fresh_link_is_needed(raw: RawDownloadScenario) -> None:
    """The error says that the link has expired, and why there is no other."""
    raw.respond_with(S3)
    async with raw.client() as px:
        export = await px.exports.retrieve(raw.export_id, include_csv=True, include_json=True)
    raw.server.inject(Status(503, on="api"), times=None)
    assert "503" in str(await raw.download_error(LinkExpiredError, export=export))


async def test_404_before_the_object_is_there(raw: RawDownloadScenario) -> None:
    """A fresh link may lead elsewhere; it is asked for once."""
    raw.respond_with(text_response("404 Not Found"))
    await raw.download()


async def test_404_for_ever(raw: RawDownloadScenario) -> None:
    """An object that is not behind the fresh link either is missing, which is no expiry."""
    raw.always_respond_with(text_response("404 Not Found"))
    assert (await raw.download_error(StorageError)).status == 404
    assert len(raw.storage.requests) == 2


async def test_a_stream_whose_link_has_expired(raw: RawDownloadScenario) -> None:
    """A stream that has not begun takes the fresh link, too."""
    raw.respond_with(S3)
    async with raw.client() as px:
        async with px.exports.stream(raw.export_id, "csv") as body:
            assert b"".join([block async for block in body]) == raw.content
    raw.check({})
