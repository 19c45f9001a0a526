"""API keys and signed URLs never appear in logs, messages, reprs, pickles or files."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import pickle
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import attrs
import pytest

from packagex_async import (
    ApiError,
    Artifact,
    AsyncPackageX,
    BadRequestError,
    ConfigurationError,
    DecodeError,
    DownloadGroupError,
    DownloadReport,
    Export,
    ExportGoneError,
    ExportResource,
    ExportStatus,
    NotFoundError,
    PackageXError,
    Page,
    Pagination,
    ProgressEvent,
    ProgressKind,
    RetryPolicy,
    ServerError,
    StorageError,
    UnconfirmedError,
    WaitTimeoutError,
)
from packagex_async.report import ByArtifact
from packagex_async.testing import (
    Cut,
    Emulator,
    Expired,
    Garbage,
    Redirect,
    Refuse,
    Reset,
    Stall,
    Status,
    WrongHash,
)
from packagex_async.testing.faults import TargetedFault
from tests.time_limits import LIMITED

KEY = "px_live_CANARYKEY"
SECRETS = ("CANARY", "X-Px-Signature", "sig=")

FAULTS: list[TargetedFault] = [
    Cut(0),
    Reset(0),
    Stall(10),
    Refuse(),
    WrongHash(),
    Expired(),
    Redirect("https://127.0.0.1:1/a?sig=CANARY"),
    Redirect("http://storage.example/a?sig=CANARY"),
    Redirect("https://127.0.0.1:99999/a?sig=CANARY"),
    Status(403, body=b"<Error>https://storage.example/a?sig=CANARY</Error>", on="storage"),
    Status(401, body=f'{{"message": "unknown key {KEY}", "errors": ["{KEY}"]}}'.encode(), on="api"),
    Status(500, body=b'{"message": "https://storage.example/a?sig=CANARY"}', on="api"),
    Garbage(KEY.encode()),
    Garbage(b'{"data": {"name": "x", "_csv_url": "https://storage.example/a?sig=CANARY"}}'),
    Refuse(on="api"),
    Stall(0, on="api"),
]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(populate=False, api_key=KEY) as server:
        yield server


def representations(error: BaseException) -> Iterator[str]:
    """Yield every representation of an error."""
    yield str(error)
    yield repr(error)
    yield repr(vars(error))
    yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    yield repr(pickle.dumps(error))
    if isinstance(error, DownloadGroupError):
        yield f"{error.report} {error.report!r} {pickle.dumps(error.report)!r}"


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_trap_09_no_secret_after_failed_download(
    emulator: Emulator, log: io.StringIO, tmp_path: Path, fault: TargetedFault
) -> None:
    """Not in a log, message, repr, traceback with locals, pickle, event or file name."""
    stored = emulator.add_export(rows=500)
    emulator.inject(fault, times=None)
    events: list[ProgressEvent] = []
    async with emulator.client(retry=RetryPolicy(attempts=2, wait_initial=0), **LIMITED) as px:
        with pytest.raises(PackageXError) as caught:
            await px.exports.download(stored.id, tmp_path, on_progress=events.append)
        texts = [
            *representations(caught.value),
            repr(px),
            repr(events),
            repr([pickle.dumps(event) for event in events]),
        ]
    texts += [log.getvalue(), *(path.name for path in tmp_path.rglob("*"))]
    for text in texts:
        assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.on == "api"], ids=lambda fault: type(fault).__name__
)
async def test_trap_09_no_secret_after_failed_creation(
    emulator: Emulator, log: io.StringIO, fault: TargetedFault
) -> None:
    """Neither in the cause nor in `UnconfirmedError`."""
    emulator.inject(fault, times=None)
    async with emulator.client(retry=RetryPolicy(attempts=2, wait_initial=0), **LIMITED) as px:
        with pytest.raises(PackageXError) as caught:
            await px.exports.create("contact", options={"limit": 1})
    for text in (*representations(caught.value), log.getvalue()):
        assert not [secret for secret in SECRETS if secret in text]


@pytest.fixture
async def silent_server() -> AsyncIterator[str]:
    """Provide the base URL of a server that never responds."""
    over = asyncio.Event()

    async def listen(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        over.set()


async def retrieve(px: AsyncPackageX, export: Export) -> None:
    await px.exports.retrieve(export.id)


async def stream(px: AsyncPackageX, export: Export) -> None:
    async with px.exports.stream(export, "csv"):
        pytest.fail("the server responded")


@pytest.mark.parametrize("call", [retrieve, stream])
async def test_trap_09_no_secret_after_cancellation(
    silent_server: str, call: Callable[[AsyncPackageX, Export], Awaitable[None]]
) -> None:
    """Also while aiohttp uses the key or the URL."""
    export = Export(id="exp_1", csv_url=f"{silent_server}/a?sig=CANARY")
    async with AsyncPackageX(KEY, base_url=silent_server) as px:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                await call(px, export)
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    for text in representations(caught.value):
        assert not [secret for secret in SECRETS if secret in text]


async def test_trap_09_no_secret_after_success(emulator: Emulator, log: io.StringIO, tmp_path: Path) -> None:
    """Not in the client, an export or a report."""
    stored = emulator.add_export(rows=500)
    events: list[ProgressEvent] = []
    async with emulator.client() as px:
        export = await px.exports.retrieve(stored.id, include_csv=True, include_json=True)
        report = await px.exports.download(export, tmp_path, on_progress=events.append)
        texts = [
            repr(thing) for thing in (px, px.exports, export, report, events, vars(px), vars(px.exports))
        ]
    texts += [str(report), repr(pickle.dumps(report)), repr(pickle.dumps(export)), log.getvalue()]
    assert export.csv_url is not None
    assert "X-Px-Signature" in export.csv_url
    for text in texts:
        assert not [secret for secret in SECRETS if secret in text]


def test_trap_09_no_secret_in_export_of_caller() -> None:
    """The record itself redacts its URLs."""
    export = Export(id="exp_1", json_url="https://storage.example/a?sig=CANARY")
    assert "CANARY" not in f"{export!r} {pickle.dumps(export)!r}"


def test_no_key_in_repr_of_client() -> None:
    """Nor in those of its attributes."""
    px = AsyncPackageX(KEY)
    assert "CANARY" not in repr(px) + repr(vars(px)) + repr(vars(px.exports)) + repr(vars(px._sessions))


# --- secrets in unexpected fields

URLS = [
    "https://h.example/a?X-Amz-Signature=CANARY",
    "https://h.example/it's \"a\" <b>.csv?filename*=UTF-8''a.csv&Signature=CANARY",
    "https://h.example/a?x='\"<> \n\r\t\\CANARY",
    "https://h.example/a#CANARY",
    r"https:\/\/h.example\/a?CANARY",
    "https%3A%2F%2Fh.example%2Fa%3Fsig%3DCANARY",
    "//h.example/a?CANARY",
    "/bucket/key?X-Goog-Signature=CANARY",
    "http://user:pa'ss\"w@r/d?CANARY@proxy.example:3128",
]


@pytest.fixture(params=URLS, ids=range(len(URLS)))
def leak(request: pytest.FixtureRequest) -> str:
    """Provide a URL with a secret, as a server may send it in any field."""
    url: str = request.param
    return url


def export_with_secrets(leak: str) -> Export:
    """Return an export with the URL in every field."""
    return Export(
        id=leak,
        object=leak,
        name=leak,
        organization_id=leak,
        resource=ExportResource(leak),
        status=ExportStatus(leak),
        extra={leak: leak, "deep": [{leak: [leak]}], "Signature": "CANARY"},
    )


def test_trap_09_no_secret_in_repr_and_pickle_of_export(leak: str) -> None:
    """In any field; an export without secrets is pickled unchanged."""
    export = export_with_secrets(leak)
    page = Page(data=(export,), pagination=Pagination(has_more=False))
    again: Export = pickle.loads(pickle.dumps(export))
    for text in (repr(export), repr(page), repr(pickle.dumps(export)), repr(vars(again))):
        assert "CANARY" not in text
        assert text.isprintable()
    assert isinstance(again.status, ExportStatus)
    plain = Export(id="exp_1", name="a name?", status=ExportStatus.COMPLETED, extra={"a": {"b": [1, None]}})
    assert pickle.loads(pickle.dumps(plain)) == plain


def test_repr_limits_unknown_fields() -> None:
    """The number and the length of the names are limited."""
    shown = repr(Export(id="exp_1", extra=dict.fromkeys((f"{number:03}" * 50 for number in range(1000)), 1)))
    assert len(shown) < 2500
    assert shown.endswith(", ...>)")


def errors_with(leak: str) -> list[PackageXError]:
    """Return an error of every class, with the URL in each of its texts."""
    failure = StorageError(leak, export_id=leak, artifact=Artifact.CSV)
    report = DownloadReport(export_id=leak, failures=ByArtifact([failure]), error=DecodeError(leak))
    return [
        DecodeError(leak),
        ConfigurationError(f"it is {leak!r}"),
        ApiError(leak, status=400, code=leak, errors=[leak, {leak: [leak]}, [[leak]]], endpoint=leak),
        NotFoundError(leak, status=404),
        UnconfirmedError.after(ServerError(leak, status=500)),
        ExportGoneError(leak, export_id=leak),
        WaitTimeoutError(leak, export_id=leak, status=leak),
        failure,
        DownloadGroupError.of(report),
    ]


def test_trap_09_no_secret_in_errors(leak: str, log: io.StringIO) -> None:
    """Not in text, attributes, pickle or log; the text is one printable line."""
    for error in errors_with(leak):
        logging.getLogger("packagex_async").warning("%s", error)
        for text in (*representations(error), *map(repr, vars(error).values())):
            assert "CANARY" not in text
        assert str(error).isprintable()
        assert repr(error).isprintable()
    assert "CANARY" not in log.getvalue()


def test_trap_09_no_secret_in_reports_and_events(leak: str) -> None:
    """Nor in the result of `attrs.asdict`."""
    error = StorageError(leak, export_id=leak, artifact=Artifact.CSV)
    event = ProgressEvent(kind=ProgressKind.FAILED, export_id=leak, artifact=Artifact.CSV, error=error)
    report = DownloadReport(export_id=leak, failures=ByArtifact([error]), error=DecodeError(leak))
    for record in (event, report):
        for text in (str(record), repr(record), repr(attrs.asdict(record)), repr(pickle.dumps(record))):
            assert "CANARY" not in text
    assert all(line.isprintable() for line in str(report).splitlines())
    assert len(str(report).splitlines()) == 3


async def bad_request_error(emulator: Emulator) -> BadRequestError:
    """Return the error of a request, with a traceback that contains no frame of the test."""
    async with emulator.client() as px:
        with pytest.raises(BadRequestError) as caught:
            await px.exports.retrieve("exp_1")
    return caught.value


async def test_trap_09_no_secret_in_errors_of_the_api(
    leak: str, emulator: Emulator, log: io.StringIO
) -> None:
    """The API may quote URL and key anywhere, in any encoding and at any depth."""
    deep: object = leak
    for _ in range(100):
        deep = [{leak: deep}]
    quoted = ["".join(f"%{ord(char):02x}" for char in KEY), KEY.upper(), f"{leak} {KEY}"]
    answer = {
        "message": {"text": [leak, KEY]}, "error_code": [leak, *quoted], "endpoint": leak,
        "errors": [leak, {leak: leak, KEY: {KEY: KEY}}, deep, *quoted],
    }  # fmt: skip
    emulator.inject(Status(400, body=json.dumps(answer).encode(), on="api"), times=None)
    error = await bad_request_error(emulator)
    texts = [*representations(error), error.message, str(error.code), str(error.endpoint), repr(error.errors)]
    for text in (*texts, log.getvalue()):
        assert not [secret for secret in (*SECRETS, *quoted) if secret.lower() in text.lower()]
    assert len(error.errors) == len(quoted) + 3


async def test_long_message_of_the_api_is_shortened(emulator: Emulator) -> None:
    """The message, the code and the errors are limited."""
    answer = {"message": "m" * 8_000_000, "error_code": "c" * 8_000_000, "errors": ["e" * 8_000_000]}
    emulator.inject(Status(400, body=json.dumps(answer).encode(), on="api"))
    error = await bad_request_error(emulator)
    assert len(str(error)) < 2500
    assert [len(text) for text in error.errors] == [1000]


async def test_trap_09_a_key_in_any_field_of_a_response_is_not_shown(
    emulator: Emulator, log: io.StringIO, tmp_path: Path
) -> None:
    """Not in an error about the export, a log line, a repr, a pickle, or a report."""
    now = {"object": "export", "organization_id": KEY, "name": f"a {KEY}", "resource": f"{KEY} b"}
    looks: list[str] = []

    async def look(call: Callable[[AsyncPackageX], Awaitable[object]], **fields: str) -> None:
        body = json.dumps({"id": "exp_1", "status": KEY, **now, **fields}).encode()
        emulator.inject(Status(200, body=body, on="api"), times=None)
        async with emulator.client(retry=RetryPolicy(attempts=1)) as px:
            try:
                result = await call(px)
                looks.extend([repr(result), repr(pickle.dumps(result))])
            except PackageXError as error:
                looks.extend(representations(error.with_traceback(None)))

    await look(lambda px: px.exports.retrieve("exp_1"))
    await look(lambda px: px.exports.retrieve("exp_1"), id=KEY)
    await look(lambda px: px.exports.retrieve("exp_1"), id=f"exp_{KEY[:9]}\n{KEY[9:]}")
    await look(lambda px: px.exports.wait("exp_1", timeout=0.01))
    await look(lambda px: px.exports.create("contact"), id=KEY)
    await look(lambda px: px.exports.download("exp_1", tmp_path))
    assert len(looks) > 12
    for text in (*looks, log.getvalue()):
        assert "CANARY" not in text
