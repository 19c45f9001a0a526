"""Every log message is one line without secrets."""

from __future__ import annotations

import logging

import pytest

from packagex_async import Artifact, DecodeError, DownloadReport, Export, ExportResource, ExportStatus, _logs

EXPORT = Export(
    id="exp_1", status=ExportStatus.QUEUED, resource=ExportResource.CONTACT, unread=("name", "count_total")
)


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="packagex_async")


def test_the_messages(caplog: pytest.LogCaptureFixture) -> None:
    """Each has the level of its kind."""
    _logs.request_done("GET", "https://h.example/a?sig=CANARY", 200, 0.25)
    _logs.export_created(EXPORT)
    _logs.status_changed(EXPORT)
    _logs.malformed_items(3, 1, "item 0 has no id")
    _logs.malformed_items(3, 2, "item 0 has no id")
    _logs.download_finished(DownloadReport(export_id="exp_1", missing=(Artifact.JSON,)))
    _logs.retrying(DecodeError("not JSON"), 1.5)
    _logs.urls_refreshed("exp_1")
    _logs.unread_fields(EXPORT)
    _logs.unread_fields(Export(id="exp_2"))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "GET https://h.example/a?[redacted]: 200 in 0.250 s"),
        ("INFO", "export exp_1: created, queued, of contact"),
        ("INFO", "export exp_1: queued"),
        ("WARNING", "page 3 of the listing: 1 item is left out: item 0 has no id"),
        ("WARNING", "page 3 of the listing: 2 items are left out: item 0 has no id"),
        ("INFO", "export exp_1: 0 files on disk, 1 not offered, 0 failed"),
        ("WARNING", "not JSON; trying again in 1.5 s"),
        ("WARNING", "export exp_1: its links had expired, and were renewed"),
        ("WARNING", "export exp_1: could not read name, count_total; see its `extra`"),
    ]


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (1, "waiting for 1 export: exp_0"),
        (2, "waiting for 2 exports: exp_0, exp_1"),
        (25, f"waiting for 25 exports: {', '.join(f'exp_{number}' for number in range(20))} and 5 more"),
    ],
)
def test_a_limited_number_of_exports_is_named(
    caplog: pytest.LogCaptureFixture, count: int, message: str
) -> None:
    """The message says how many there are."""
    _logs.waiting([f"exp_{number}" for number in range(count)])
    assert caplog.messages == [message]


def test_arguments_are_sanitized_and_cut(caplog: pytest.LogCaptureFixture) -> None:
    """Only numbers are logged unchanged."""
    _logs.urls_refreshed("a\nb")
    _logs.retrying(DecodeError("x" * 5000), 1.0)
    assert caplog.messages[0] == r"export a\nb: its links had expired, and were renewed"
    assert len(caplog.messages[1]) < 2100


def test_records_of_handled_problems_have_attributes(caplog: pytest.LogCaptureFixture) -> None:
    """A handler reads them instead of the message."""
    _logs.request_retried(DecodeError("not\nJSON"), 1.5)
    _logs.urls_refreshed("exp_1")
    retried, renewed = caplog.records
    assert vars(retried) | {"event": "request_retried", "reason": r"not\nJSON", "delay": 1.5} == vars(retried)
    assert retried.getMessage() == r"not\nJSON; trying again in 1.5 s"
    reason = "export exp_1: its links had expired, and were renewed"
    assert vars(renewed) | {"event": "urls_renewed", "reason": reason, "delay": None} == vars(renewed)


def test_a_disabled_level_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The application sets the level of the logger."""
    caplog.set_level(logging.WARNING, logger="packagex_async")
    _logs.export_created(EXPORT)
    _logs.urls_refreshed("exp_1")
    assert len(caplog.records) == 1


def test_problems_of_repeated_attempts(caplog: pytest.LogCaptureFixture) -> None:
    """Their messages have the level DEBUG within the block, and results are not changed."""
    for is_repeated in (False, True):
        with _logs.repeated(is_repeated):
            _logs.retrying(DecodeError("not JSON"), 1.5)
            _logs.export_created(EXPORT)
    _logs.urls_refreshed("exp_1")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "DEBUG", "INFO", "WARNING"]
