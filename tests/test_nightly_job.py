"""The nightly job that the docs show does what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from packagex_async import client
from packagex_async._manifest import NAME
from packagex_async.testing import Emulator, serve_in_thread

from .support import names

PAGE = Path(__file__).parents[1] / "docs/how-to/nightly-job.md"


def test_the_job_brings_everything_and_tells_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten lines; started twice, it fetches nothing twice."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    job = found[1]
    assert len([line for line in job.splitlines() if line]) <= 10
    monkeypatch.chdir(tmp_path)
    with serve_in_thread(Emulator(populate=False)) as server:
        monkeypatch.setitem(client.ENVIRONMENTS, "production", server.base_url)
        monkeypatch.setenv("PX_API_KEY", server.api_key)
        good = server.add_export(content={"csv": b"a,b", "json": b"[]"})
        bad = server.add_export(status="failed")
        for _ in range(2):
            exec(compile(job, str(PAGE), "exec"), {"__name__": "__main__"})
            assert names(tmp_path / "exports") == sorted([f"{good.id}.csv", f"{good.id}.json", NAME])
            told = capsys.readouterr().out
            assert f"export {bad.id} is failed" in told
            assert good.id not in told
        assert len([request for request in server.requests if request.host == "storage"]) == 2
