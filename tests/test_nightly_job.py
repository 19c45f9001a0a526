"""The nightly job that the docs show does what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from packagex_async import client
from packagex_async._manifest import NAME
from packagex_async.testing import Emulator, serve_in_thread

from .support import names

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/nightly-job.md"])
def test_the_job_brings_everything_and_tells_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], page: str
) -> None:
    """Ten lines; started twice, it fetches nothing twice."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (job,) = (block for block in blocks if "download_all" in block)
    assert len([line for line in job.splitlines() if line]) <= 10
    monkeypatch.chdir(tmp_path)
    with serve_in_thread(Emulator(populate=False)) as server:
        monkeypatch.setitem(client.ENVIRONMENTS, "production", server.base_url)
        monkeypatch.setenv("PX_API_KEY", server.api_key)
        good = server.add_export(content={"csv": b"a,b", "json": b"[]"})
        bad = server.add_export(status="failed")
        for _ in range(2):
            exec(compile(job, page, "exec"), {"__name__": "__main__"})
            assert names(tmp_path / "exports") == sorted([f"{good.id}.csv", f"{good.id}.json", NAME])
            told = capsys.readouterr().out
            assert f"export {bad.id} is failed" in told
            assert good.id not in told
        assert len([request for request in server.requests if request.host == "storage"]) == 2
