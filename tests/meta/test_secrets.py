"""A canary key and a canary signature that appear nowhere."""

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


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything any logger says at DEBUG."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(before)


def everything_of(error: BaseException) -> Iterator[str]:
    """Every way an error is looked at."""
    yield str(error)
    yield repr(error)
    yield repr(vars(error))
    yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    yield repr(pickle.dumps(error))
    if isinstance(error, DownloadGroupError):
        yield f"{error.report} {error.report!r} {pickle.dumps(error.report)!r}"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_trap_09_no_failure_shows_a_secret(
    emulator: Emulator, log: io.StringIO, tmp_path: Path, fault: TargetedFault
) -> None:
    """Not in a log, a message, a repr, a traceback with its locals, a pickle, an event or a file."""
    stored = emulator.add_export(rows=500)
    emulator.inject(fault, times=None)
    events: list[ProgressEvent] = []
    async with emulator.client(
        retry=RetryPolicy(attempts=2, wait_initial=0), stall_timeout=0.05, timeout=0.05
    ) as px:
        with pytest.raises(PackageXError) as caught:
            await px.exports.download(stored.id, tmp_path, on_progress=events.append)
        looks = [
            *everything_of(caught.value),
            repr(px),
            repr(events),
            repr([pickle.dumps(event) for event in events]),
        ]
    looks += [log.getvalue(), *(path.name for path in tmp_path.rglob("*"))]
    for look in looks:
        assert not [secret for secret in SECRETS if secret in look]


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.on == "api"], ids=lambda fault: type(fault).__name__
)
async def test_trap_09_no_failed_creation_shows_a_secret(
    emulator: Emulator, log: io.StringIO, fault: TargetedFault
) -> None:
    """Neither what went wrong, nor that it may have been done all the same."""
    emulator.inject(fault, times=None)
    async with emulator.client(retry=RetryPolicy(attempts=2, wait_initial=0), timeout=0.05) as px:
        with pytest.raises(PackageXError) as caught:
            await px.exports.create("contact", options={"limit": 1})
    for look in (*everything_of(caught.value), log.getvalue()):
        assert not [secret for secret in SECRETS if secret in look]


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """The base URL of a server that hears everything and says nothing."""
    over = asyncio.Event()

    async def listen(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        over.set()


async def retrieved(px: AsyncPackageX, export: Export) -> None:
    await px.exports.retrieve(export.id)


async def streamed(px: AsyncPackageX, export: Export) -> None:
    async with px.exports.stream(export, "csv"):
        pytest.fail("nobody answers")


@pytest.mark.parametrize("call", [retrieved, streamed])
async def test_trap_09_no_cancellation_shows_a_secret(
    silent: str, call: Callable[[AsyncPackageX, Export], Awaitable[None]]
) -> None:
    """Though aiohttp was at work on the key, or the URL, when it came."""
    export = Export(id="exp_1", csv_url=f"{silent}/a?sig=CANARY")
    async with AsyncPackageX(KEY, base_url=silent) as px:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                await call(px, export)
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    for look in everything_of(caught.value):
        assert not [secret for secret in SECRETS if secret in look]


async def test_trap_09_no_success_shows_a_secret(
    emulator: Emulator, log: io.StringIO, tmp_path: Path
) -> None:
    """Neither the client, nor an export, nor a report."""
    stored = emulator.add_export(rows=500)
    events: list[ProgressEvent] = []
    async with emulator.client() as px:
        export = await px.exports.retrieve(stored.id, include_csv=True, include_json=True)
        report = await px.exports.download(export, tmp_path, on_progress=events.append)
        looks = [
            repr(thing) for thing in (px, px.exports, export, report, events, vars(px), vars(px.exports))
        ]
    looks += [str(report), repr(pickle.dumps(report)), repr(pickle.dumps(export)), log.getvalue()]
    assert export.csv_url is not None
    assert "X-Px-Signature" in export.csv_url
    for look in looks:
        assert not [secret for secret in SECRETS if secret in look]


def test_trap_09_an_export_made_by_hand_is_silent_too() -> None:
    """The record itself keeps its URLs, whoever made it."""
    export = Export(id="exp_1", json_url="https://storage.example/a?sig=CANARY")
    assert "CANARY" not in f"{export!r} {pickle.dumps(export)!r}"


def test_a_key_is_in_no_repr_of_the_client() -> None:
    """Nor of anything it is made of."""
    px = AsyncPackageX(KEY)
    assert "CANARY" not in repr(px) + repr(vars(px)) + repr(vars(px.exports)) + repr(vars(px._sessions))


# --- secrets in places where nobody expects them

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
    """A URL with a secret in it, somewhere in the answer of a server."""
    url: str = request.param
    return url


def leaking_export(leak: str) -> Export:
    return Export(
        id=leak,
        object=leak,
        name=leak,
        organization_id=leak,
        resource=ExportResource(leak),
        status=ExportStatus(leak),
        extra={leak: leak, "deep": [{leak: [leak]}], "Signature": "CANARY"},
    )


def test_trap_09_no_repr_and_no_pickle_of_an_export_shows_a_secret(leak: str) -> None:
    """Whichever field holds it; an export without one travels whole."""
    export = leaking_export(leak)
    page = Page(data=(export,), pagination=Pagination(has_more=False))
    again: Export = pickle.loads(pickle.dumps(export))
    for look in (repr(export), repr(page), repr(pickle.dumps(export)), repr(vars(again))):
        assert "CANARY" not in look
        assert look.isprintable()
    assert isinstance(again.status, ExportStatus)
    plain = Export(id="exp_1", name="a name?", status=ExportStatus.COMPLETED, extra={"a": {"b": [1, None]}})
    assert pickle.loads(pickle.dumps(plain)) == plain


def test_a_repr_names_a_few_unknown_fields() -> None:
    """However many a server invents, and however long their names are."""
    shown = repr(Export(id="exp_1", extra=dict.fromkeys((f"{number:03}" * 50 for number in range(1000)), 1)))
    assert len(shown) < 2500
    assert shown.endswith(", ...>)")


def errors_about(leak: str) -> list[PackageXError]:
    """An error of every shape, with the URL in each of its texts."""
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


def test_trap_09_no_error_shows_a_secret(leak: str, log: io.StringIO) -> None:
    """Not in its text, its fields, its pickle or the log; its text is one line that can be printed."""
    for error in errors_about(leak):
        logging.getLogger("packagex_async").warning("%s", error)
        for look in (*everything_of(error), *map(repr, vars(error).values())):
            assert "CANARY" not in look
        assert str(error).isprintable()
        assert repr(error).isprintable()
    assert "CANARY" not in log.getvalue()


def test_trap_09_no_report_and_no_event_shows_a_secret(leak: str) -> None:
    """Nor what `attrs.asdict` makes of them."""
    error = StorageError(leak, export_id=leak, artifact=Artifact.CSV)
    event = ProgressEvent(kind=ProgressKind.FAILED, export_id=leak, artifact=Artifact.CSV, error=error)
    report = DownloadReport(export_id=leak, failures=ByArtifact([error]), error=DecodeError(leak))
    for record in (event, report):
        for look in (str(record), repr(record), repr(attrs.asdict(record)), repr(pickle.dumps(record))):
            assert "CANARY" not in look
    assert all(line.isprintable() for line in str(report).splitlines())
    assert len(str(report).splitlines()) == 3


async def refused(emulator: Emulator) -> BadRequestError:
    """The error of a request, whose traceback does not lead into a test that knows the secrets."""
    async with emulator.client() as px:
        with pytest.raises(BadRequestError) as caught:
            await px.exports.retrieve("exp_1")
    return caught.value


async def test_trap_09_no_error_of_the_api_shows_a_secret(
    leak: str, emulator: Emulator, log: io.StringIO
) -> None:
    """It may quote the URL or the key anywhere, in any spelling, and nest it as deep as it likes."""
    deep: object = leak
    for _ in range(100):
        deep = [{leak: deep}]
    quoted = ["".join(f"%{ord(char):02x}" for char in KEY), KEY.upper(), f"{leak} {KEY}"]
    answer = {
        "message": {"text": [leak, KEY]}, "error_code": [leak, *quoted], "endpoint": leak,
        "errors": [leak, {leak: leak, KEY: {KEY: KEY}}, deep, *quoted],
    }  # fmt: skip
    emulator.inject(Status(400, body=json.dumps(answer).encode(), on="api"), times=None)
    error = await refused(emulator)
    looks = [*everything_of(error), error.message, str(error.code), str(error.endpoint), repr(error.errors)]
    for look in (*looks, log.getvalue()):
        assert not [secret for secret in (*SECRETS, *quoted) if secret.lower() in look.lower()]
    assert len(error.errors) == len(quoted) + 3


async def test_a_huge_message_of_the_api_is_shortened(emulator: Emulator) -> None:
    """What an error says stays readable."""
    answer = {"message": "m" * 8_000_000, "error_code": "c" * 8_000_000, "errors": ["e" * 8_000_000]}
    emulator.inject(Status(400, body=json.dumps(answer).encode(), on="api"))
    error = await refused(emulator)
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
                looks.extend(everything_of(error.with_traceback(None)))

    await look(lambda px: px.exports.retrieve("exp_1"))
    await look(lambda px: px.exports.retrieve("exp_1"), id=KEY)
    await look(lambda px: px.exports.retrieve("exp_1"), id=f"exp_{KEY[:9]}\n{KEY[9:]}")
    await look(lambda px: px.exports.wait("exp_1", timeout=0.01))
    await look(lambda px: px.exports.create("contact"), id=KEY)
    await look(lambda px: px.exports.download("exp_1", tmp_path))
    assert len(looks) > 12
    for text in (*looks, log.getvalue()):
        assert "CANARY" not in text
