"""The paths of artifacts are safe, and no two artifacts share a path."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import Artifact, ConfigurationError, Export, ExportResource, ExportStatus
from packagex_async._files.layouts import artifact_file_name, file_stem, parse_directory, parse_layout

MOMENT = datetime(2024, 5, 1, 23, 30, tzinfo=UTC)
SAFE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.,=+@()-~")
TEMPLATES = [
    "flat",
    "folders",
    "{id}",
    "{resource}/{created:%Y-%m-%d}/{id}",
    "{created}-{id}-{artifact}",
    "{id}{resource}",
    "{resource}{status}{id}",
    "{artifact}/{id}{created:%d}",
    "exp_{id}",
    "{id}/{id}",
    "a.{status}/x{id}y{artifact}z",
]


def export_of(export_id: str = "exp_7xKyu1HY", **fields: Any) -> Export:
    known: dict[str, Any] = {
        "resource": ExportResource.CONTACT,
        "status": ExportStatus.COMPLETED,
        "created_at": MOMENT,
    }
    return Export(id=export_id, **{**known, **fields})


@pytest.mark.parametrize(
    ("layout", "csv", "csv_error"),
    [
        ("flat", "exp_7xKyu1HY.csv", "exp_7xKyu1HY.error.csv"),
        ("folders", "exp_7xKyu1HY/exp_7xKyu1HY.csv", "exp_7xKyu1HY/exp_7xKyu1HY.error.csv"),
        (
            "{resource}/{created:%Y-%m-%d}/{id}",
            "contact/2024-05-01/exp_7xKyu1HY.csv",
            "contact/2024-05-01/exp_7xKyu1HY.error.csv",
        ),
        (
            "{created}-{id}-{artifact}",
            "2024-05-01-exp_7xKyu1HY-csv.csv",
            "2024-05-01-exp_7xKyu1HY-csv_error.csv",
        ),
        (
            "{artifact}/{status}_{id}",
            "csv/completed_exp_7xKyu1HY.csv",
            "csv_error/completed_exp_7xKyu1HY.csv",
        ),
        (
            "{status} {created:%H:%M}/{id}",
            "completed 23_30/exp_7xKyu1HY.csv",
            "completed 23_30/exp_7xKyu1HY.error.csv",
        ),
    ],
)
def test_a_layout_determines_the_path(layout: str, csv: str, csv_error: str) -> None:
    """The suffix identifies the artifact if the template has no `{artifact}`."""
    path = parse_layout(layout)
    assert path(export_of(), Artifact.CSV) == csv
    assert path(export_of(), Artifact.CSV_ERROR) == csv_error


def test_missing_and_unknown_values_have_a_path() -> None:
    """An export without resource, status and date, and one with unsafe values."""
    path = parse_layout("{resource}/{status}/{created}/{id}")
    bare = export_of(resource=None, status=None, created_at=None)
    assert path(bare, Artifact.JSON) == "unknown/unknown/undated/exp_7xKyu1HY.json"
    odd = export_of(resource=ExportResource("con"), status=ExportStatus("../../etc"))
    assert path(odd, Artifact.JSON) == "_con/etc/2024-05-01/exp_7xKyu1HY.json"


@pytest.mark.parametrize(
    "moment",
    [
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_a_date_that_does_not_exist_in_utc_has_a_path(moment: datetime) -> None:
    """It is outside of the supported years."""
    path = parse_layout("{created}/{id}")(export_of(created_at=moment), Artifact.JSON)
    assert path == "undated/exp_7xKyu1HY.json"


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        ("folder", "it needs {id}"),
        ("{resource}/{artifact}", "it needs {id}"),
        ("", "it needs {id}"),
        (None, "not None"),
        (7, "not 7"),
        ("{id}/{name}", "{name} is not a field"),
        ("{}", "{} is not a field"),
        ("{0}", "{0} is not a field"),
        ("{id.__class__}", "is not a field"),
        ("{id!r}", "{id!r} is not a field"),
        ("{id[0]}", "is not a field"),
        ("{id:>9}", "cannot have the format '>9'"),
        ("{created:%Y/%m}/{id}", "cannot have the format '%Y/%m'"),
        ("{created:\0}/{id}", "use one such as {created:%Y-%m-%d}"),
        ("{created:%}/{id}", "use one such as {created:%Y-%m-%d}"),
        ("{id", "not a valid format string"),
        ("{{{id}}}", "not safe in every file name"),
        ("/{id}", "'' cannot be a name"),
        ("/etc/{id}", "'' cannot be a name"),
        ("../{id}", "'..' cannot be a name"),
        ("a/./{id}", "'.' cannot be a name"),
        (".{id}", "cannot be a name"),
        ("a /{id}", "cannot be a name"),
        ("a//{id}", "'' cannot be a name"),
        ("{id}/", "'' cannot be a name"),
        ("C:{id}", "not safe in every file name"),
        ("a\\{id}", "not safe in every file name"),
        ("a\n{id}", "not safe in every file name"),
        ("a\0{id}", "not safe in every file name"),
        ("~/{id}", "not safe in every file name"),
        ("é{id}", "not safe in every file name"),
    ],
)
def test_an_invalid_layout_is_an_error(layout: Any, reason: str) -> None:
    """The message reason what is wrong, and gives an example."""
    with pytest.raises(ConfigurationError) as caught:
        parse_layout(layout)
    assert reason in str(caught.value)
    assert 'layout must be "flat", "folders" or a template such as' in str(caught.value)


ids = st.from_regex(r"exp_[A-Za-z0-9]{1,4}", fullmatch=True) | st.text(min_size=1, max_size=8)
words = st.sampled_from(["contact", "exp_1", "a-exp_2", "csv", "~", "", "con", ".."]) | st.text(max_size=6)
exports = st.builds(
    lambda export_id, resource, status, moment: export_of(
        export_id, resource=ExportResource(resource), status=ExportStatus(status), created_at=moment
    ),
    ids,
    words,
    words,
    st.none() | st.datetimes(timezones=st.just(UTC)),
)


@given(st.sampled_from(TEMPLATES), exports, st.sampled_from(Artifact), exports, st.sampled_from(Artifact))
def test_two_artifacts_never_share_a_path(
    layout: str, one: Export, first: Artifact, other: Export, second: Artifact
) -> None:
    """For all ids and values of exports. Every path is safe."""
    path = parse_layout(layout)
    first_path, second_path = (
        PurePosixPath(path(export, artifact)) for export, artifact in ((one, first), (other, second))
    )
    assert_safe(first_path)
    assert_safe(second_path)
    if one.id != other.id or (one == other and first != second):
        assert first_path != second_path


def assert_safe(path: PurePosixPath) -> None:
    assert not path.is_absolute()
    assert not PureWindowsPath(path).anchor
    for part in path.parts:
        assert set(part) <= SAFE
        assert part[0] not in " ."
        assert part[-1] not in " ."
        assert part.partition(".")[0].rstrip().lower() not in {"con", "prn", "aux", "nul", "com1", "lpt1"}
        assert len(part) < 255


@pytest.mark.parametrize(
    ("artifact", "name"),
    [
        (Artifact.JSON, "exp_7xKyu1HY.json"),
        (Artifact.CSV, "exp_7xKyu1HY.csv"),
        (Artifact.CSV_ERROR, "exp_7xKyu1HY.error.csv"),
        (Artifact.CSV_SANITIZED, "exp_7xKyu1HY.sanitized.csv"),
    ],
)
def test_a_safe_id_is_not_changed(artifact: Artifact, name: str) -> None:
    """Each artifact adds its suffix."""
    assert artifact_file_name("exp_7xKyu1HY", artifact) == name


@pytest.mark.parametrize(
    "export_id",
    [
        "../../etc/passwd", "..", ".", "", "CON", "nul", "a\0b", "a/b", "a\\b", "x" * 500, "exp:1", "\ud800",
        "é", "-rf", "a\n",
    ],
)  # fmt: skip
def test_trap_10_an_id_cannot_leave_the_directory(export_id: str) -> None:
    """Separators, device names, control characters and long names are replaced, and a hash is added."""
    stem = file_stem(export_id)
    assert re.fullmatch(r"[A-Za-z0-9_-]+~[0-9a-f]{16}", stem)
    assert not stem.startswith("-")
    assert len(stem) < 100


@given(st.text(max_size=40), st.text(max_size=40))
def test_trap_10_two_ids_never_share_a_name(one: str, other: str) -> None:
    """Different ids have different names."""
    assert (file_stem(one) == file_stem(other)) == (one == other)


@given(st.text(alphabet="ab/.~_-\0", max_size=6), st.text(alphabet="ab/.~_-\0", max_size=6))
def test_trap_10_ids_with_the_same_safe_characters_have_different_names(one: str, other: str) -> None:
    """The hash distinguishes them."""
    assert (file_stem(one) == file_stem(other)) == (one == other)


@pytest.mark.parametrize("directory", ["a\0b", "a/\ud800", None, 5, b"bytes"])
def test_an_invalid_directory_is_an_error(directory: Any) -> None:
    """A path is a string or a path-like object, without NUL characters and lone surrogates."""
    with pytest.raises(ConfigurationError, match="directory must be a path"):
        parse_directory(directory)


@pytest.mark.parametrize("directory", ["exports", PurePosixPath("a/b"), "caf\udce9"])
def test_a_directory_may_have_any_name_of_the_file_system(directory: Any) -> None:
    """Also one that is not valid UTF-8."""
    assert parse_directory(directory) == Path(directory)
