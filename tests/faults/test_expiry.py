"""Expiry: a link that has died is replaced once, and the transfer goes on from the byte it has reached."""

from __future__ import annotations

import pytest

from packagex_async import Artifact, ExportGoneError, LinkExpiredError, ProgressEvent, StorageError
from packagex_async.testing import Expired, Status
from tests.faults.plays import cut, honest, says
from tests.faults.trial import Raw, Trial

AFTER = 30_000
S3 = says("403 Forbidden", "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
AZURE = (
    "<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>Signature not valid in the specified "
    "time frame: Start [Mon, 01 Jan 2024] - Expiry [Tue, 02 Jan 2024]</AuthenticationErrorDetail></Error>"
)
PLAIN = says("403 Forbidden", "<html><h1>403 Forbidden</h1><hr>nginx</html>")


@pytest.mark.one_connection
async def test_s3_access_denied_because_expired(raw: Raw) -> None:
    """S3's 403 tells of expiry in its message; a fresh link brings the object."""
    raw.plays(S3)
    await raw.arrives()
    assert (raw.retrieved, len(raw.host.requests)) == (2, 2)
    assert raw.host.requests[0].target != raw.host.requests[1].target


async def test_s3_expired_token(raw: Raw) -> None:
    """A 400 whose code is `ExpiredToken` is expiry, too."""
    raw.plays(says("400 Bad Request", "<Error><Code>ExpiredToken</Code></Error>"))
    await raw.arrives()


async def test_gcs_expired_token(raw: Raw) -> None:
    """As is Google's, which says so in words."""
    text = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
    raw.plays(says("400 Bad Request", text))
    await raw.arrives()


async def test_azure_out_of_its_time_frame(raw: Raw) -> None:
    """Azure speaks of a time frame in the detail of a failed authentication."""
    raw.plays(says("403 Server failed to authenticate the request", AZURE))
    await raw.arrives()


async def test_r2_expired_request(raw: Raw) -> None:
    """R2's code is another one."""
    raw.plays(says("403 Forbidden", "<Error><Code>ExpiredRequest</Code></Error>"))
    await raw.arrives()


async def test_410_gone(raw: Raw) -> None:
    """nginx's `secure_link` is often set to answer an outlived link with a bare 410."""
    raw.plays(says("410 Gone"))
    await raw.arrives()


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
async def test_a_plain_403_for_a_link_that_says_it_has_expired(raw: Raw, query: str) -> None:
    """The refusal tells nothing, but the expiry that stands in the URL has passed."""
    raw.server.query = query
    raw.plays(PLAIN)
    await raw.arrives()
    assert raw.retrieved == 2


async def test_the_hosts_clock_decides(raw: Raw) -> None:
    """Where the client's clock says the link still lives, the `Date` of the refusal may say otherwise."""
    raw.server.query = "expires=4000000000"
    raw.plays(says("403 Forbidden", headers={"Date": "Mon, 01 Jan 2125 00:00:00 GMT"}))
    await raw.arrives()


async def test_a_plain_403_for_a_link_that_lives(raw: Raw) -> None:
    """It is a refusal, and no fresh link is asked for."""
    raw.server.query = "expires=4000000000"
    raw.always(PLAIN)
    assert (await raw.fails(StorageError)).status == 403
    assert (raw.retrieved, len(raw.host.requests)) == (1, 1)


async def test_access_denied_for_another_reason(raw: Raw) -> None:
    """A signature that does not match would not match again."""
    raw.always(says("403 Forbidden", "<Error><Code>SignatureDoesNotMatch</Code></Error>"))
    assert "SignatureDoesNotMatch" in str(await raw.fails(StorageError))
    assert len(raw.host.requests) == 1


async def test_a_fresh_link_that_has_expired_too(raw: Raw) -> None:
    """A second refusal right after a fresh link is final."""
    raw.always(S3)
    await raw.fails(LinkExpiredError)
    assert (raw.retrieved, len(raw.host.requests)) == (2, 2)


@pytest.mark.one_connection
async def test_a_link_that_dies_within_the_body(raw: Raw) -> None:
    """The fresh one is asked for the rest only."""
    raw.plays(cut(AFTER), S3)
    assert (await raw.arrives()).resumed
    assert raw.host.ranges == [None, *[f"bytes={AFTER}-"] * 2]


@pytest.mark.one_connection
async def test_links_that_die_again_and_again(raw: Raw) -> None:
    """As long as each brings new bytes, another is asked for."""
    raw.plays(*[cut(AFTER), S3] * 3)
    assert (await raw.arrives()).resumed
    assert raw.retrieved == 1 + 3


async def test_one_fresh_export_for_four_artifacts(raw: Raw) -> None:
    """All links of an export die at once; it is retrieved once for all of them."""
    content = {artifact.value: raw.content for artifact in Artifact}
    raw.export_id = raw.server.add_export(content=content).id
    raw.wholes = {artifact: [body] for artifact, body in content.items()}
    raw.always(lambda request, stored: (S3 if request.link <= 4 else honest)(request, stored))
    assert len((await raw.report(artifacts=None)).files) == 4
    assert raw.retrieved == 2


async def test_one_fresh_export_whose_links_read_like_the_old_ones(trial: Trial) -> None:
    """A link may be signed twice within a second; four artifacts still retrieve the export once."""
    for artifact in Artifact:
        trial.server.inject(Expired(artifact=artifact))
    assert len((await trial.report(artifacts=None)).files) == 4
    assert trial.retrieved == 2


async def test_an_export_that_is_gone_when_retrieved_again(raw: Raw) -> None:
    """It was deleted meanwhile: no link will ever come, and the error and the last event say so."""
    raw.plays(S3)
    events: list[ProgressEvent] = []
    async with raw.client() as px:
        export = await px.exports.retrieve(raw.export_id, include_csv=True, include_json=True)
        raw.server.delete_export(raw.export_id)
        with pytest.raises(ExportGoneError):
            await px.exports.download(export, raw.folder, on_progress=events.append)
    raw.check({})
    assert events[-1].kind == "failed"
    assert isinstance(events[-1].error, ExportGoneError)


async def test_an_artifact_that_is_no_longer_offered(raw: Raw) -> None:
    """The export is there still, but its fresh copy has no such link."""
    raw.plays(S3)
    async with raw.client() as px:
        export = await px.exports.retrieve(raw.export_id, include_csv=True, include_json=True)
    raw.server.update_export(raw.export_id, artifacts=())
    assert "no longer" in str(await raw.fails(LinkExpiredError, export=export))


async def test_an_api_that_is_down_when_a_fresh_link_is_needed(raw: Raw) -> None:
    """The error says that the link has expired, and why there is no other."""
    raw.plays(S3)
    async with raw.client() as px:
        export = await px.exports.retrieve(raw.export_id, include_csv=True, include_json=True)
    raw.server.inject(Status(503, on="api"), times=None)
    assert "503" in str(await raw.fails(LinkExpiredError, export=export))


async def test_404_before_the_object_is_there(raw: Raw) -> None:
    """A fresh link may lead elsewhere; it is asked for once."""
    raw.plays(says("404 Not Found"))
    await raw.arrives()


async def test_404_for_ever(raw: Raw) -> None:
    """An object that is not behind the fresh link either is missing, which is no expiry."""
    raw.always(says("404 Not Found"))
    assert (await raw.fails(StorageError)).status == 404
    assert len(raw.host.requests) == 2


async def test_a_stream_whose_link_has_expired(raw: Raw) -> None:
    """A stream that has not begun takes the fresh link, too."""
    raw.plays(S3)
    async with raw.client() as px:
        async with px.exports.stream(raw.export_id, "csv") as body:
            assert b"".join([block async for block in body]) == raw.content
    raw.check({})
