"""One case at work: a far side, a folder and a client, and what came of them held to the invariant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs

from packagex_async import (
    AsyncPackageX,
    DownloadedFile,
    DownloadError,
    DownloadGroupError,
    DownloadReport,
    Export,
)
from packagex_async.testing import Emulator
from tests.faults.host import Host, Play, Stored
from tests.faults.invariant import SECRET, SUFFIXES, check, held
from tests.faults.plays import Headers
from tests.support import AT_ONCE

PATIENCE = 30.0
"""Seconds in which every case has come to its end, however slow the machine."""

E = TypeVar("E", bound=DownloadError)


@attrs.define(kw_only=True)
class Trial:
    """An export on the emulator, and a folder for it.

    Attributes:
        server: The emulator.
        folder: Where downloads go.
        export_id: The export.
        wholes: Every content that each artifact has had.
        options: The client's.
    """

    server: Emulator
    folder: Path
    export_id: str
    wholes: dict[str, list[bytes]] = attrs.field(repr=False)  # pytest asks every test's for its repr
    options: dict[str, Any] = attrs.field(factory=lambda: {"retry": AT_ONCE})

    @property
    def content(self) -> bytes:
        """What the CSV is now."""
        return self.wholes["csv"][-1]

    def path(self, artifact: str = "csv") -> Path:
        """Where an artifact goes."""
        return self.folder / f"{self.export_id}{SUFFIXES[artifact]}"

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncPackageX]:
        """A client for the case, and an end to all patience."""
        async with asyncio.timeout(PATIENCE), self.server.client(**self.options) as px:
            yield px

    async def report(self, *, export: Export | None = None, **options: Any) -> DownloadReport:
        """Download the export by its id, or as it was; hold what is there and was said to the invariant."""
        before = held(self.folder)
        wanted: dict[str, Any] = {"artifacts": "csv", "digest": "sha256", **options}
        async with self.client() as px:
            try:
                report = await px.exports.download(export or self.export_id, self.folder, **wanted)
            except DownloadGroupError as error:
                assert error.report.failures
                report = error.report
        self.check(before, report, resume=bool(options.get("resume")))
        return report

    async def arrives(self, **options: Any) -> DownloadedFile:
        """Download the CSV, which arrives."""
        report = await self.report(**options)
        assert report.ok, report
        return report.files["csv"]

    async def fails(self, kind: type[E], **options: Any) -> E:
        """Download the CSV, which fails for just this reason."""
        report = await self.report(**options)
        (failure,) = report.failures
        assert type(failure) is kind
        return failure

    def check(
        self, before: dict[str, bytes], report: DownloadReport | None = None, *, resume: bool = False
    ) -> None:
        """Hold what is there, and what was said of it, to the invariant."""
        check(self.folder, self.export_id, self.wholes, before=before, report=report, resume=resume)

    @property
    def retrieved(self) -> int:
        """How often the export was retrieved."""
        return [request.host for request in self.server.requests].count("api")


class Pointing(Emulator):
    """The emulator's API, whose links point to a raw host.

    Attributes:
        origin: Its scheme, address and port.
        query: What stands in their query before the signature.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(populate=False)
        self.origin = host.origin
        self.query = ""
        self._links = 0

    def url_for(self, export_id: str, artifact: str, expires_in: float = 0.0) -> str:
        self._links += 1
        return f"{self.origin}/{export_id}/{artifact}?{self.query}&link={self._links}&sig={SECRET}"


@attrs.define(kw_only=True)
class Raw(Trial):
    """An export on the emulator whose CSV lies on a raw host."""

    server: Pointing  # pyright: ignore[reportIncompatibleVariableOverride]
    host: Host

    def plays(self, *plays: Play) -> None:
        """Answer the next requests for the CSV like this, one play each."""
        self.host.plays(*plays)

    def always(self, play: Play) -> None:
        """Answer every request for the CSV like this that no play is for."""
        self.host.otherwise = play

    def stores(self, content: bytes, *, version: int = 1) -> None:
        """Have other bytes behind the link."""
        self.wholes["csv"].append(content)
        self.host.stored = Stored.of(content, version=version)

    def tells(self, headers: Headers) -> None:
        """Say other things of the object with every honest answer."""
        self.host.stored = self.host.stored.having(headers)
