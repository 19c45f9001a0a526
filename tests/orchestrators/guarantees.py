"""The guarantees of the how-tos, which are the same for every orchestrator."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import obstore
import pytest

from packagex_async import Artifact
from packagex_async._files.layouts import SUFFIXES
from packagex_async.testing import Emulator, RecordedRequest, Status, StoredExport, serve_in_thread
from tests.buckets.conftest import SECRET, S3Server
from tests.orchestrators.orchestrator import Orchestrator
from tests.orchestrators.secret_scan import find, secrets_of

HOUR = timedelta(hours=1)


def objects(moto: S3Server, bucket: str) -> dict[str, bytes]:
    """Return the artifacts in the bucket by key."""
    store = moto.store(bucket)
    keys = [item["path"] for item in obstore.list(store).collect()]
    return {key: bytes(obstore.get(store, key).bytes()) for key in keys if "/_packagex/" not in key}


def expected(server: Emulator, exports: list[StoredExport]) -> dict[str, bytes]:
    """Return the artifacts that the bucket must contain."""
    return {
        f"exports/{export.id}{SUFFIXES[Artifact(artifact)]}": server.content(export.id, artifact)
        for export in exports
        for artifact in export.artifacts
    }


def requests_to(host: str, server: Emulator) -> list[RecordedRequest]:
    """Return the requests to the API or to the storage host."""
    return [request for request in server.requests if request.host == host]


class Guarantees:
    """Tests of a how-to. A subclass provides the fixture `orchestrator`."""

    @pytest.fixture
    def hour(self) -> datetime:
        """Provide the start of the last complete hour."""
        return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - HOUR

    @pytest.fixture(autouse=True)
    def no_secret_is_stored(self, orchestrator: Orchestrator, server: Emulator) -> Iterator[None]:
        """After each test, no file and no output of the orchestrator contains a key or a signature."""
        yield
        assert find(secrets_of(server) | {SECRET}, orchestrator.folder, orchestrator.outputs) == []

    @pytest.fixture
    def exports(self, server: Emulator, hour: datetime) -> list[StoredExport]:
        """Provide five exports of the hour, next to exports of the hours before and after it."""
        for outside in (hour - timedelta(seconds=1), hour + HOUR):
            server.add_export(rows=3, created_at=outside.timestamp())
        started_at = hour.timestamp()
        return [
            server.add_export(rows=20, error_rows=index, created_at=started_at + 700 * index)
            for index in range(5)
        ]

    def test_exports_of_an_hour_are_downloaded_once(
        self,
        orchestrator: Orchestrator,
        server: Emulator,
        exports: list[StoredExport],
        hour: datetime,
        moto: S3Server,
        bucket: str,
    ) -> None:
        """Batches are downloaded by mapped tasks. A second run sends no request to the storage host."""
        run = orchestrator.run(hour, server.base_url)
        assert run.succeeded, run.output
        assert run.attempts["download"] == [1, 1, 1]
        assert objects(moto, bucket) == expected(server, exports)

        server.requests.clear()
        assert orchestrator.run(hour, server.base_url).succeeded
        assert requests_to("storage", server) == []
        assert len(requests_to("api", server)) == 1 + len(exports)

    def test_earlier_hours_of_the_day_can_be_repeated(
        self, orchestrator: Orchestrator, server: Emulator, hour: datetime, moto: S3Server, bucket: str
    ) -> None:
        """A run downloads the exports of an hour that was missed 22 hours ago."""
        missed = hour - 22 * HOUR
        export = server.add_export(rows=20, created_at=missed.timestamp() + 60)
        assert orchestrator.run(missed, server.base_url).succeeded
        assert objects(moto, bucket) == expected(server, [export])

    def test_hour_without_exports_succeeds(
        self, orchestrator: Orchestrator, server: Emulator, hour: datetime, bucket: str
    ) -> None:
        """No batch is downloaded, and the run is successful."""
        run = orchestrator.run(hour, server.base_url)
        assert run.succeeded, run.output
        assert "download" not in run.attempts

    def test_deleted_hours_fail(
        self, orchestrator: Orchestrator, server: Emulator, hour: datetime, bucket: str
    ) -> None:
        """A run for an hour whose exports are deleted sends no request, and is not successful."""
        run = orchestrator.run(hour - 25 * HOUR, server.base_url)
        assert not run.succeeded
        assert "older than 24 hours" in run.output
        assert server.requests == []

    def test_failed_artifact_is_retried(
        self,
        orchestrator: Orchestrator,
        server: Emulator,
        exports: list[StoredExport],
        hour: datetime,
        moto: S3Server,
        bucket: str,
    ) -> None:
        """The batch of a failed artifact is repeated, and downloads only what is missing."""
        server.inject(Status(403, on="storage", export_id=exports[0].id, artifact="csv"))
        run = orchestrator.run(hour, server.base_url)
        assert run.succeeded, run.output
        assert sorted(run.attempts["download"]) == [1, 1, 2]
        assert objects(moto, bucket) == expected(server, exports)
        assert len(requests_to("storage", server)) == 1 + len(expected(server, exports))

    def test_export_in_progress_is_retried(
        self,
        orchestrator: Orchestrator,
        server: Emulator,
        hour: datetime,
        moto: S3Server,
        bucket: str,
    ) -> None:
        """An export that is not completed yet is downloaded by a later attempt."""
        pending = server.add_export(rows=20, status="processing", created_at=hour.timestamp())
        server.update_export(pending.id, status="processing")

        def complete(request: RecordedRequest, seconds: float) -> None:
            if request.export_id == pending.id and request.host == "api":
                server.update_export(pending.id, status="completed")

        server.on_response = complete
        run = orchestrator.run(hour, server.base_url)
        assert run.succeeded, run.output
        assert run.attempts["download"] == [2]
        assert set(objects(moto, bucket)) == {f"exports/{pending.id}.csv", f"exports/{pending.id}.json"}

    def test_failed_exports_are_reported(
        self,
        orchestrator: Orchestrator,
        server: Emulator,
        exports: list[StoredExport],
        hour: datetime,
        moto: S3Server,
        bucket: str,
    ) -> None:
        """They are reported with their reasons, and not retried. All other exports are downloaded."""
        for index, status in enumerate(("failed", "timed_out")):
            server.update_export(exports[index].id, status=status)
        run = orchestrator.run(hour, server.base_url)
        assert run.attempts["download"] == [1, 1, 1]
        assert objects(moto, bucket) == expected(server, exports[2:])
        assert f"'{exports[0].id}': 'ExportFailedError'" in run.output
        assert f"'{exports[1].id}': 'ExportTimedOutError'" in run.output
        # The search for secrets reads what the orchestrator has stored.
        assert find([exports[0].id], orchestrator.folder)

    def test_rejected_key_is_not_retried(
        self, orchestrator: Orchestrator, hour: datetime, bucket: str
    ) -> None:
        """The run fails after one request."""
        with serve_in_thread(Emulator(populate=False, api_key="px_another_key")) as other:
            run = orchestrator.run(hour, other.base_url)
            assert not run.succeeded
            assert run.attempts["list_batches"] == [1]
            assert [request.status for request in other.requests] == [401]

    def test_key_that_is_rejected_during_a_run_is_not_retried(
        self,
        orchestrator: Orchestrator,
        server: Emulator,
        exports: list[StoredExport],
        hour: datetime,
        moto: S3Server,
        bucket: str,
    ) -> None:
        """Its batch fails at once, even if another export could be retried. Others are downloaded."""
        first, second = (exports[index] for index in (0, 1))
        server.inject(Status(403, on="storage", export_id=first.id, artifact="csv"))
        server.inject(Status(401, on="api", export_id=second.id))
        run = orchestrator.run(hour, server.base_url)
        assert not run.succeeded
        assert run.attempts["download"] == [1, 1, 1]
        assert expected(server, exports[2:]).items() <= objects(moto, bucket).items()
