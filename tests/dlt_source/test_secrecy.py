"""Neither the key nor a signature is in any file, log, trace or error of dlt."""

from __future__ import annotations

import gzip
import logging
import traceback
import zlib
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packagex_async.testing import Emulator, Status, WrongHash
from tests.dlt_source.conftest import KEY, select

CELL = "CANARY-in-a-cell"


def by_argument(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"api_key": KEY}


def by_variable(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("PX_API_KEY", KEY)
    return {}


def by_variable_of_dlt(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("SOURCES__PACKAGEX__API_KEY", KEY)
    return {}


def by_secrets(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    import dlt

    dlt.secrets["sources.packagex.api_key"] = KEY
    return {}


def contents(folder: Path) -> str:
    """Return the contents of all files, with the inner text of compressed ones."""
    shown = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            shown += [str(path), data.decode("latin-1")]
            if data.startswith(b"\x1f\x8b"):
                shown.append(gzip.decompress(data).decode("latin-1"))
    return "\n".join(shown)


@pytest.mark.parametrize("give", [by_argument, by_variable, by_variable_of_dlt, by_secrets])
def test_no_secret_is_shown(
    server: Emulator,
    tmp_path: Path,
    pipeline: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    give: Callable[..., dict[str, Any]],
) -> None:
    """Files, state, trace, logs, reprs, output and errors contain no secret, after success and failure."""
    from packagex_async.integrations.dlt import exports_source, failed_exports

    caplog.set_level(logging.DEBUG)
    logging.getLogger("dlt").addHandler(caplog.handler)
    logging.getLogger("dlt").setLevel(logging.DEBUG)
    server.add_export(rows=3)
    bad = server.add_export(rows=3)
    malformed = server.add_export(content={"csv": f'id,name\n1,"{CELL}\n'.encode()})
    server.inject(WrongHash(export_id=bad.id), times=None)
    source = exports_source(base_url=server.base_url, **give(server, monkeypatch))
    shown = [str(pipeline.run(source)), repr(source), repr(source.exports), str(vars(source.exports))]
    shown += [repr(pipeline.last_trace), repr(pipeline.last_trace.asdict()), repr(pipeline.state)]
    assert failed_exports(pipeline).keys() == {bad.id, malformed.id}
    server.inject(Status(401, on="api"), times=None)
    with pytest.raises(Exception, match="401") as caught:
        pipeline.run(source)
    error: BaseException | None = caught.value
    while error is not None:
        shown += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
        error = error.__cause__ or error.__context__
    shown += [repr(pipeline.last_trace), repr(pipeline.last_trace.asdict()), caplog.text, *capfd.readouterr()]
    for (state,) in select(pipeline, "SELECT state FROM _dlt_pipeline_state"):
        shown.append(zlib.decompress(b64decode(state)).decode())
    shown.append(contents(tmp_path))
    signatures = [request.query["X-Px-Signature"] for request in server.requests if request.host == "storage"]
    assert len(signatures) > 2
    for text in shown:
        assert KEY not in text
        assert CELL not in text
        assert not any(signature in text for signature in signatures)
