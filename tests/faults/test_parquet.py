"""Parquet: faults of the transfer lead to the rows of one object, or to no file."""

from __future__ import annotations

import csv
import io
import zlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from packagex_async import DownloadedFile, DownloadGroupError, DownloadReport, RetryPolicy
from packagex_async._arrow import csv_decoder
from tests.faults.responses import (
    CHUNKED,
    NO_HASH,
    NO_VALIDATORS,
    altered_response,
    correct_response,
    encode_chunks,
    full_response,
    text_response,
    truncated_response,
)
from tests.faults.scenario import RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd, RawResponse, Request, Responder, StoredObject
from tests.faults.wrong_responses import (
    AFTER,
    REMAINDER_IDS,
    REMAINDERS,
    UNIDENTIFIED,
    WEB_PAGES,
    remainder_response,
)

CSV = b"id,address\r\n" + b"".join(
    b'%d,"Street %d\r\nFloor ""%d"""\r\n' % (number, number, number) for number in range(3000)
)
OTHER = CSV.replace(b"Street", b"Avenue")
CUT = truncated_response(AFTER)
EXPIRED = text_response("403 Forbidden", "<Error><Code>ExpiredToken</Code></Error>")
NO_HASHES = {**NO_HASH, "Content-MD5": None}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert the artifact in several blocks."""
    monkeypatch.setattr(csv_decoder, "BLOCK_SIZE", 4096)


@pytest.fixture
def parquet(raw: RawDownloadScenario) -> RawDownloadScenario:
    """Provide a CSV artifact."""
    raw.replace_object(CSV)
    return raw


def chunked(content: bytes, *, complete: bool = True) -> Responder:
    """Respond without a length; an incomplete body has no last chunk."""
    body = encode_chunks(content)
    sent = body if complete else body.removesuffix(b"0\r\n\r\n")
    return altered_response(headers={**CHUNKED, **NO_HASHES}, body=sent, ending=ConnectionEnd.FIN)


def compressed(content: bytes, size: int | None = None) -> Responder:
    """Respond with the first `size` bytes of the compressed content."""
    body = zlib.compress(content, wbits=31)[:size]
    headers = {"Content-Encoding": "gzip", "Content-Length": str(len(body)), **NO_HASHES}
    return altered_response(headers=headers, body=body)


def page_response(media_type: str | None, page: str) -> Responder:
    """Respond with a web page."""
    body = page.encode()
    headers = {"Content-Type": media_type, "Content-Length": str(len(body)), **NO_HASHES}
    return altered_response(headers=headers, body=body)


def replaced(request: Request, _: StoredObject) -> RawResponse:
    """Respond with another object of the same length."""
    return correct_response(request, StoredObject.of(OTHER, version=9))


async def run(scenario: RawDownloadScenario, **options: Any) -> DownloadReport:
    """Download the CSV as Parquet; check that there is a complete file with the right rows, or none."""
    arguments: dict[str, Any] = {"artifacts": "csv", "digest": "sha256", "format": "parquet", **options}
    async with scenario.client() as px:
        try:
            report = await px.exports.download(scenario.export_id, scenario.folder, **arguments)
        except DownloadGroupError as error:
            report = error.report
    expected = [scenario.export_id + ".parquet"] if report.ok else []
    assert [path.name for path in scenario.folder.iterdir()] == expected
    for file in report.files:
        check_rows(file)
    return report


def check_rows(file: DownloadedFile) -> None:
    """Check that the file has the rows of one object."""
    columns = pq.read_table(file.path).to_pydict()
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    assert [list(columns), *rows] in [parse(CSV), parse(OTHER)]
    assert file.rows == len(rows) == pq.read_metadata(file.path).num_rows


def parse(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


@pytest.mark.one_connection
@pytest.mark.parametrize(
    "responders",
    [
        pytest.param([lambda _, __: ConnectionEnd.RST], id="reset-before-head"),
        pytest.param([truncated_response(AFTER, ConnectionEnd.RST)] * 3, id="reset"),
        pytest.param([CUT], id="closed"),
        pytest.param([truncated_response(AFTER, ConnectionEnd.HALF_CLOSE)], id="half-closed"),
        pytest.param([truncated_response(0)], id="no-body"),
        pytest.param([text_response("503 Service Unavailable")] * 2, id="unavailable"),
        pytest.param([EXPIRED], id="expired"),
        pytest.param([CUT, EXPIRED], id="expired-later"),
        pytest.param([CUT, full_response()], id="range-ignored"),
        pytest.param(
            [truncated_response(AFTER, headers=NO_VALIDATORS), full_response(NO_VALIDATORS)],
            id="no-validators",
        ),
        pytest.param([truncated_response(AFTER, headers=UNIDENTIFIED)], id="unidentified"),
        pytest.param([chunked(CSV)], id="chunked"),
        pytest.param([chunked(CSV[:AFTER], complete=False)], id="chunked-truncated"),
        pytest.param([compressed(CSV)], id="gzip"),
        pytest.param([altered_response(body=OTHER)], id="wrong-hash"),
    ],
)  # fmt: skip
async def test_fault_that_ends(parquet: RawDownloadScenario, responders: list[Responder]) -> None:
    """The file is complete after further attempts."""
    parquet.respond_with(*responders)
    report = await run(parquet)
    assert report.ok, report
    assert parse(CSV)[1:] == [
        list(row.values()) for row in pq.read_table(report.files["csv"].path).to_pylist()
    ]


@pytest.mark.one_connection
@pytest.mark.parametrize("responder", REMAINDERS, ids=REMAINDER_IDS)
async def test_200_with_remainder(parquet: RawDownloadScenario, responder: Responder) -> None:
    """A remainder is not accepted as the object."""
    parquet.set_headers(NO_HASH)
    parquet.respond_with(CUT, responder)
    await run(parquet)
    parquet.folder.joinpath(f"{parquet.export_id}.parquet").unlink(missing_ok=True)
    parquet.respond_with(CUT)
    parquet.always_respond_with(responder)
    assert not (await run(parquet)).ok


@pytest.mark.one_connection
@pytest.mark.parametrize(
    "responder",
    [
        pytest.param(lambda _, __: ConnectionEnd.RST, id="reset-before-head"),
        pytest.param(text_response("404 Not Found"), id="not-found"),
        pytest.param(text_response("503 Service Unavailable"), id="unavailable"),
        pytest.param(truncated_response(AFTER, headers=UNIDENTIFIED), id="unidentified"),
        pytest.param(compressed(CSV, 5000), id="gzip-truncated"),
        pytest.param(altered_response(body=OTHER), id="wrong-hash"),
        pytest.param(altered_response(headers=NO_HASH, body=CSV[:-1], ending=ConnectionEnd.FIN), id="short"),
        *(pytest.param(page_response(*page), id=f"page-{place}") for place, page in enumerate(WEB_PAGES)),
    ],
)  # fmt: skip
async def test_fault_that_does_not_end(parquet: RawDownloadScenario, responder: Responder) -> None:
    """A fault in every attempt leaves no file."""
    parquet.always_respond_with(responder)
    assert not (await run(parquet)).ok


@pytest.mark.one_connection
async def test_object_replaced_within_body(parquet: RawDownloadScenario) -> None:
    """Rows of two objects are never in one file."""
    parquet.respond_with(CUT)
    parquet.always_respond_with(replaced)
    await run(parquet)


@pytest.mark.one_connection
async def test_stall(parquet: RawDownloadScenario) -> None:
    """A transfer that stalls is resumed."""
    parquet.options |= {"stall_timeout": 0.1, "retry": RetryPolicy(attempts=2, wait_initial=0)}
    parquet.respond_with(truncated_response(AFTER, ConnectionEnd.STALL))
    assert (await run(parquet)).files["csv"].resumed
    parquet.folder.joinpath(f"{parquet.export_id}.parquet").unlink()
    parquet.always_respond_with(lambda _, __: ConnectionEnd.STALL)
    assert not (await run(parquet)).ok


@pytest.mark.one_connection
async def test_limits(parquet: RawDownloadScenario) -> None:
    """`max_size` and `require_verification` apply to the artifact."""
    assert not (await run(parquet, max_size=len(CSV) - 1)).ok
    parquet.always_respond_with(chunked(CSV))
    assert not (await run(parquet, max_size=len(CSV) - 1)).ok
    assert not (await run(parquet, require_verification=True)).ok
    assert (await run(parquet, max_size=len(CSV))).files["csv"].verified == "none"


@pytest.mark.one_connection
async def test_existing_file(parquet: RawDownloadScenario) -> None:
    """A file of the same object is kept, and no file is replaced without `overwrite`."""
    (await run(parquet)).raise_for_failures()
    path: Path = parquet.folder / f"{parquet.export_id}.parquet"
    before = path.read_bytes()
    assert (await run(parquet)).files["csv"].verified == "checksum"
    parquet.set_headers(NO_HASH)
    assert (await run(parquet)).files["csv"].verified == "length"
    parquet.replace_object(OTHER, version=2)
    for headers in ({}, NO_HASH):
        parquet.set_headers(headers)
        async with parquet.client() as px:
            with pytest.raises(DownloadGroupError) as caught:
                await px.exports.download(parquet.export_id, parquet.folder, format="parquet")
        assert "was not written from the artifact" in str(caught.value.report.failures["csv"])
        assert path.read_bytes() == before
    assert not (await run(parquet, overwrite=True)).files["csv"].kept
    assert pq.read_table(path)["address"][0].as_py().startswith("Avenue")


@pytest.mark.one_connection
async def test_remainder_of_another_length(parquet: RawDownloadScenario) -> None:
    """A part that a response declares as the whole object is accepted only without a contradiction."""
    parquet.set_headers(NO_HASH)
    parquet.respond_with(truncated_response(0), remainder_response())
    await run(parquet)
