"""The screens of all commands on a terminal of five widths, compared with the files in `screens/`.

After a change, `UPDATE_SCREENS=1` writes the files again. Review the differences by eye.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pytest

from packagex_async.cli.app import EXAMPLES
from packagex_async.cli.display.totals import Totals
from packagex_async.testing import Emulator, Life
from tests.cli.commands.test_demo import make_demo_fast
from tests.cli.support import CANARY, AdvanceClock, Clock

if sys.platform != "win32":
    from tests.cli.pty_support import output_of_command, screen_of_command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")

GREEN, RED, MAGENTA, DEFAULT_COLOR = "32", "31", "35", "39"
WIDTHS = (50, 60, 80, 100, 120)
SCREENS = Path(__file__).parent / "screens"
UPDATE = "UPDATE_SCREENS" in os.environ

_VOLATILE = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"), "2026-01-31 12:30:00Z"),
    (re.compile(r"127\.0\.0\.1:\d{5}"), "127.0.0.1:54321"),
    (re.compile(r"^age: [0-9]+s$", re.MULTILINE), "age: 0s"),
    (re.compile(r"MiB in \d+\.\d s$", re.MULTILINE), "MiB in 5.0 s"),
    (re.compile(r"ended after \d+ of"), "ended after 561010 of"),
)
"""Texts that differ between runs, and texts of the same width."""


def add_exports(server: Emulator) -> None:
    """Add exports of all states, with files of a few bytes to a few megabytes, and names of many lengths."""
    created_at = time.time() - 11130
    content = {"json": b"[" + b" " * 3_000_000 + b"]", "csv": b"a,b\n1,2\n", "csv_error": b"a,b\nx,y\n"}
    server.add_export(
        export_id="exp_7xKyu1HYb3nq5cWc2vRpTz",
        resource="shipment",
        name="Shipments of January, all carriers, with returns and refunds",
        content=content,
        rows=1_234_567,
        created_at=created_at,
    )
    server.add_export(
        export_id="exp_Qm4sZ8dLw6jEo2aKf9uXyN",
        name="顧客リスト 📦",
        content={"json": b"[1]", "csv": b"a\n1\n"},
        rows=1,
        created_at=created_at + 3600,
    )
    server.add_export(
        export_id="exp_Vg1tB5hCk7pIr3eMx0yJnS",
        resource="tracker",
        name="Trackers",
        status="failed",
        rows=250,
        created_at=created_at + 10_000,
    )
    server.add_export(
        export_id="exp_Ud6wF2mGo8rHl4iNz1aYbP",
        resource="location",
        name="Locations",
        status="processing",
        rows=12_000,
        created_at=created_at + 10_350,
    )


@pytest.fixture
def exports(empty: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The emulator with exports. The current directory is empty, and each run takes 4 seconds."""
    add_exports(empty)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PX_BASE_URL", empty.base_url)
    monkeypatch.setattr(Totals, "elapsed", 4.0)
    return empty


def screens_of(command: str, exit_code: int, widths: tuple[int, ...] = WIDTHS) -> str:
    """Return the screens of a command, with the lines of all widths."""
    parts = []
    for width in widths:
        code, lines = screen_of_command(*command.format(width=width).split(), columns=width)
        assert code == exit_code, lines
        text = "\n".join(lines)
        for pattern, replacement in _VOLATILE:
            text = pattern.sub(replacement, text)
        assert CANARY not in text
        parts.append(f"{f' {width} columns ':=^{width}}\n{text}\n")
    return "".join(parts)


def test_sync_of_recent_exports(exports: Emulator) -> None:
    """The number of exports is not known, because the API does not filter by creation date."""
    code, lines = screen_of_command(
        "sync", "recent", "--created-after", "30d", "--artifacts", "csv", columns=100
    )
    assert (code, lines[0].split()[:2]) == (5, ["exports", "files"])


def check(name: str, text: str) -> None:
    """Compare screens with a file."""
    path = SCREENS / f"{name}.txt"
    if UPDATE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "command", "code"),
    [
        ("list/all", "list", 0),
        ("list/one", "list --max 1", 0),
        ("list/none", "list --resource group", 0),
        ("list/fields", "list --fields id,age,name,updated_at", 0),
        ("exports/get", "get exp_7xKyu1HYb3nq5cWc2vRpTz", 0),
        ("exports/get_fields", "get exp_7xKyu1HYb3nq5cWc2vRpTz --fields id,name", 0),
        ("download/complete", "download exp_7xKyu1HYb3nq5cWc2vRpTz exp_Qm4sZ8dLw6jEo2aKf9uXyN -o {width}", 0),
        ("download/failed", "download exp_Vg1tB5hCk7pIr3eMx0yJnS exp_Qm4sZ8dLw6jEo2aKf9uXyN -o {width}", 8),
        ("download/plan", "download exp_7xKyu1HYb3nq5cWc2vRpTz --dry-run", 0),
        ("download/cat", "cat exp_Qm4sZ8dLw6jEo2aKf9uXyN -o {width}.csv", 0),
        ("exports/create", "create contact", 0),
        ("exports/wait", "wait exp_7xKyu1HYb3nq5cWc2vRpTz", 0),
        ("exports/wait_failed", "wait exp_Vg1tB5hCk7pIr3eMx0yJnS", 8),
        ("sync/complete", "sync {width} --resource shipment", 0),
        # With more, the order depends on the speed of the machine.
        ("sync/failed", "sync {width} --concurrency 1", 5),
        ("sync/plan", "sync exports --dry-run --concurrency 1", 5),
        ("emulator", "emulator --duration 0 --seed 1 --key demo", 0),
        ("errors/option", "list --colour", 2),
        ("errors/value", "sync exports --max-size ten", 2),
        ("errors/command", "lst", 2),
        ("errors/not_found", "get exp_unknown", 4),
        ("verify/no_manifest", "verify missing", 2),
        ("errors/argument", "completion tcsh", 2),
    ],
)
def test_screens(name: str, command: str, code: int, exports: Emulator) -> None:
    """The screens at all widths equal those in the file."""
    check(name, screens_of(command, code))


def test_screens_of_a_created_export(exports: Emulator, clock: Clock) -> None:
    """The export is completed at the first request for its status, and then downloaded."""
    exports.life = Life(queued=30, processing=30, rows=3)
    exports.inject(AdvanceClock(clock, 60), times=None)
    check("exports/create_download", screens_of("create contact --download {width}", 0))


def test_screens_of_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The downloads are fast, and the rows of the live display have disappeared."""
    make_demo_fast(monkeypatch)
    program = tmp_path / "packagex-exports"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "absolute", lambda path: Path("/home/ann") / path)
    check("demo", screens_of("demo", 0, (60, 100)))


def test_screens_of_a_verified_directory(exports: Emulator) -> None:
    """All files are exact; then one is changed, one is missing, and one is not in the manifest."""
    assert screen_of_command("sync", "exports", columns=80)[0] == 5
    check("verify/exact", screens_of("verify exports", 0))
    (changed, missing, *_) = sorted(Path("exports").glob("exp_7*"))
    changed.write_bytes(b"")
    missing.unlink()
    Path("exports", "notes.txt").write_text("x", encoding="utf-8")
    check("verify/changed", screens_of("verify exports", 5))


def test_screens_of_rejected_keys(exports: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is missing, or the API does not accept it."""
    monkeypatch.setenv("PX_API_KEY", "px_other")
    check("errors/key", screens_of("list", 3))
    monkeypatch.delenv("PX_API_KEY")
    check("errors/no_key", screens_of("list", 2))


@pytest.mark.parametrize("command", ["", *EXAMPLES])
def test_help(command: str) -> None:
    """No line is wider than the terminal, and no word is cut."""
    reviewed = ""
    for width in WIDTHS:
        text = screens_of(f"{command} --help", 0, (width,))
        lines = text.splitlines()
        assert "…" not in text
        assert all(len(line) == width and line.endswith("│") for line in lines if line.startswith("│"))
        reviewed += text if width in (60, 80, 100) else ""
    check(f"help/{command or 'app'}", reviewed)


@pytest.mark.parametrize("command", ["", *EXAMPLES])
def test_help_on_a_dumb_terminal(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the same text without control sequences, and no line is wider than the terminal."""
    expected = screen_of_command(*command.split(), "--help", columns=60)
    monkeypatch.setenv("TERM", "dumb")
    code, output = output_of_command(*command.split(), "--help", columns=60)
    assert b"\x1b" not in output
    assert (code, [line.rstrip() for line in output.decode().rstrip().splitlines()]) == expected


@pytest.mark.parametrize(
    ("command", "styles"),
    [
        ("list", {"0", "1", GREEN, RED}),
        ("list --help", {"0", "1"}),
        ("get --help", {"0", "1", RED, f"1;{RED}"}),
        ("download exp_Qm4sZ8dLw6jEo2aKf9uXyN", {"0", "1", GREEN, MAGENTA, DEFAULT_COLOR}),
    ],
)
def test_styles_of_the_output(
    command: str, styles: set[str], exports: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are legible on white and on black. NO_COLOR leaves bold text."""

    def styles_of(output: bytes) -> set[str]:
        return set(re.findall(r"\x1b\[([0-9;]*)m", output.decode()))

    assert styles_of(output_of_command(*command.split(), columns=80)[1]) <= styles
    monkeypatch.setenv("NO_COLOR", "1")
    assert styles_of(output_of_command(*command.split(), columns=80)[1]) <= {"0", "1"}


@pytest.mark.parametrize("command", ["list", "download exp_Qm4sZ8dLw6jEo2aKf9uXyN"])
def test_dumb_terminal(command: str, exports: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output has no control sequences."""
    monkeypatch.setenv("TERM", "dumb")
    assert b"\x1b" not in output_of_command(*command.split(), columns=80)[1]


def test_long_ids_and_wide_characters(exports: Emulator) -> None:
    """An id of 60 characters, and names of many scripts. Each export is one line."""
    long_id = f"exp_{'x' * 56}"
    exports.add_export(export_id=long_id, name="👩‍👩‍👧 семья 家族の写真アルバム Ελλάδα", rows=3)
    exports.add_export(export_id="exp_1", name="e\u0301" * 60, rows=3)
    check("list/long", screens_of("list --fields id,status,name -n 10", 0))
    for width in WIDTHS[1:]:
        lines = screen_of_command("list", columns=width)[1]
        assert len(lines) == 1 + 6
        assert (long_id in lines[5]) is (width >= 80)


def test_thousand_exports(empty: Emulator) -> None:
    """Each is one line, in the same columns."""
    for number in range(1000):
        empty.add_export(content={}, name=f"Number {number}")
    code, lines = screen_of_command("list", "--base-url", empty.base_url, columns=100)
    assert (code, len(lines)) == (0, 1001)
    assert {line.index("Number") for line in lines[1:]} == {lines[0].index("name")}
