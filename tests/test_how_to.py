"""The how-to pages do what they say: their own code is what runs here."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from packagex_async import (
    AsyncPackageX,
    DownloadGroupError,
    UnconfirmedError,
    WaitTimeoutError,
    client,
)
from packagex_async.testing import Emulator, Life, Redirect, Refuse, Status, serve_in_thread

from .support import AT_ONCE, FakeClock, exports_on, names

DOCS = Path(__file__).parents[1] / "docs"


def examples(page: str) -> list[str]:
    """The Python code of a page, block by block."""
    return re.findall(
        r"^```python\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


async def run(example: str, names: dict[str, Any]) -> None:
    """Run a block that may await at its top level, among `names`."""
    code = compile(example, "how-to", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    awaited = eval(code, names)
    if inspect.isawaitable(awaited):
        await awaited


# Creating and waiting.

CREATE = "how-to/create-and-wait.md"


def test_an_export_in_one_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole first example, as a script of its own."""
    monkeypatch.chdir(tmp_path)
    with serve_in_thread(Emulator(populate=False, life=Life(queued=0, processing=0, rows=3))) as server:
        monkeypatch.setenv("PX_API_KEY", server.api_key)
        monkeypatch.setitem(client.ENVIRONMENTS, "production", server.base_url)
        exec(compile(examples(CREATE)[0], CREATE, "exec"), {"__name__": "__main__"})
        (created,) = server.created
    assert names(tmp_path / "exports") == [f"{created}.csv", f"{created}.json"]
    assert capsys.readouterr().out.startswith(f"{created} completed\n")


async def test_an_export_step_by_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each step, a wait that is too short, and a doubt."""
    monkeypatch.chdir(tmp_path)
    clock = FakeClock()
    life = Life(queued=5, processing=10, rows=3)
    _, steps, waiting, doubt = examples(CREATE)
    remembered: list[str] = []
    async with Emulator(populate=False, now=clock.time, life=life) as server, exports_on(clock, server) as it:
        known: dict[str, Any] = {
            "px": SimpleNamespace(exports=it),
            "WaitTimeoutError": WaitTimeoutError,
            "UnconfirmedError": UnconfirmedError,
            "remember": remembered.append,
        }
        await run(steps, known)
        assert known["report"].ok
        server.life = Life(queued=3600)
        known["export"] = await it.create("contact")
        await run(waiting, known)
        server.inject(Refuse(on="api", method="POST"))
        await run(doubt, known)
        assert [*remembered, known["export"].id] == list(server.created[1:])


# OpenTelemetry.

TRACE = "how-to/opentelemetry.md"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Tracer:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("tests")


@pytest.fixture
def page() -> dict[str, Any]:
    """What the page's first block defines."""
    defined: dict[str, Any] = {}
    exec(compile(examples(TRACE)[0], TRACE, "exec"), defined)
    return defined


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_every_request_is_a_span(
    server: Emulator, tracer: Tracer, exporter: InMemorySpanExporter, page: dict[str, Any], tmp_path: Path
) -> None:
    """With host, path and status, below the caller's own; and without a query."""
    export = server.add_export(rows=3)
    server.inject(Status(503, on="api"))
    server.inject(Redirect())
    config = page["tracing"](tracer)
    async with server.client(trace_configs=[config], retry=AT_ONCE) as px:
        with tracer.start_as_current_span("nightly export") as above:
            await px.exports.download(export.id, tmp_path, artifacts=["csv"])
    *requests, _ = exporter.get_finished_spans()
    statuses = [told(span)["http.response.status_code"] for span in requests]
    assert statuses == [503, 200, 302, 200]
    host, port = server.base_url.removeprefix("http://").split(":")
    assert told(requests[0]) == {
        "http.request.method": "GET",
        "server.address": host,
        "server.port": int(port),
        "url.scheme": "http",
        "url.path": f"/v1/exports/{export.id}",
        "http.response.status_code": 503,
        "error.type": "503",
    }
    assert [span.status.status_code for span in requests[:2]] == [StatusCode.ERROR, StatusCode.UNSET]
    assert {span.kind for span in requests} == {SpanKind.CLIENT}
    assert {span.parent.span_id for span in requests if span.parent} == {above.get_span_context().span_id}
    storage = server.url_for(export.id, "csv")
    assert storage.partition("?")[0].endswith(told(requests[-1])["url.path"])
    everything = "".join(span.to_json() for span in requests)
    assert not [secret for secret in ("X-Px", "include_csv", "?", server.api_key) if secret in everything]


async def test_a_request_without_an_answer_is_a_span_that_failed(
    server: Emulator, tracer: Tracer, exporter: InMemorySpanExporter, page: dict[str, Any], tmp_path: Path
) -> None:
    """With the type of the error, whose message may hold the URL, and no more; cancellation included."""
    export = server.add_export(rows=3)
    server.inject(Refuse(), times=None)
    async with server.client(trace_configs=[page["tracing"](tracer)], retry=AT_ONCE) as px:
        with pytest.raises(DownloadGroupError):
            await px.exports.download(export.id, tmp_path, artifacts=["csv"])
    failed = exporter.get_finished_spans()[-1]
    assert told(failed)["error.type"] == "ClientConnectionError"
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, None)
    assert failed.events == ()


async def test_the_client_is_made_as_the_page_says(
    monkeypatch: pytest.MonkeyPatch, page: dict[str, Any]
) -> None:
    """And the call below a span of its own, with a tracer that records nothing until one is set up."""
    _, made, used = examples(TRACE)
    monkeypatch.setenv("PX_API_KEY", "px_key")
    await run(made, page)
    assert isinstance(page["px"], AsyncPackageX)
    assert page["trace"] is trace
    await page["px"].aclose()
    compile(used, TRACE, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


# The emulator's own example.


def test_the_emulator_is_used_as_its_page_says() -> None:
    """The test that it shows passes."""
    shown: dict[str, Any] = {}
    exec(compile(examples("reference/testing.md")[0], "testing.md", "exec"), shown)
    asyncio.run(next(value for name, value in shown.items() if name.startswith("test_"))())
