"""The steps of the demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from packagex_async.cli.demo.printer import StepPrinter
from packagex_async.cli.demo.steps import STEPS, Demo
from packagex_async.testing import Emulator


async def test_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each step has an explanation and a result. Another run downloads everything again."""
    outputs = []
    for _ in range(2):
        async with Emulator(pending=None) as server:
            demo = Demo(server, tmp_path, StepPrinter(STEPS, quiet=False), is_slow=False)
            await demo.run()
        assert all(artifact.is_equal for artifact in demo.compare())
        outputs.append(capsys.readouterr().out)
    for output in outputs:
        steps = output.split("\n\n")
        assert [step[:3] for step in steps] == [f"{number}/{STEPS}" for number in range(1, STEPS + 1)]
        listing, parallel, cut, expired, wrong_hash, rows = (step.split("\n", 1)[1] for step in steps)
        assert listing == "    15 exports; GET /v1/exports was answered 503"
        assert parallel.startswith("    28 files, 4.9 MiB in ")
        assert "the body ended after" in cut
        assert "2 attempts, resumed, verified by checksum" in cut
        assert "the link has expired" in expired
        assert "do not have the" in wrong_hash
        assert rows == "    28 files kept, 32,417 rows\n"


async def test_other_files_are_not_removed(tmp_path: Path) -> None:
    """Only files of the sample exports are replaced."""
    other, directory = tmp_path / "exp_1.csv", tmp_path / "folder"
    other.touch()
    directory.mkdir()
    async with Emulator(pending=None) as server:
        await Demo(server, tmp_path, StepPrinter(STEPS, quiet=True), is_slow=False).run()
    assert other.exists()
    assert directory.exists()


async def test_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The failure is printed, and the other steps follow."""
    async with Emulator(pending=None) as server:
        blocked = tmp_path / f"{server.exports[0].id}.json"
        blocked.mkdir()
        demo = Demo(server, tmp_path, StepPrinter(STEPS, quiet=False), is_slow=False)
        await demo.run()
        different = [artifact.artifact for artifact in demo.compare() if not artifact.is_equal]
    assert different == ["json"]
    out, err = capsys.readouterr()
    assert str(blocked) in err
    assert out.endswith("    27 files kept, 27,417 rows\n")
