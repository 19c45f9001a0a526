"""What the API talks about: frozen, open to tomorrow's values, silent about URLs."""

from __future__ import annotations

import copy
import enum
import pickle
from typing import get_args

import attrs
import pytest

from packagex_async import (
    Artifact,
    Direction,
    Export,
    ExportResource,
    ExportStatus,
    OrderBy,
    Page,
    Pagination,
    models,
)
from packagex_async._api.converters import export_from_json

URL = "https://storage.example/exp_1.csv?signature=CANARY"
EXPORT = Export(
    id="exp_1",
    status=ExportStatus.COMPLETED,
    csv_url=URL,
    extra={"_xlsx_url": URL, "links": [URL, {"again": URL}], "size": 3},
)


def test_records_are_frozen() -> None:
    """A record does not change under its readers."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        EXPORT.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        EXPORT.extra["size"] = 4  # type: ignore[index]


def test_trap_09_no_url_shows_in_a_repr() -> None:
    """Neither a known URL nor an unknown one is printed."""
    assert "CANARY" not in repr(EXPORT)
    assert "CANARY" not in str(EXPORT)
    assert "extra=<_xlsx_url, links, size>" in repr(EXPORT)
    assert repr(Export(id="exp_2")) == "Export(id='exp_2')"
    assert "CANARY" not in repr(Page(data=(EXPORT,), pagination=Pagination(has_more=False)))


def test_trap_09_a_pickle_leaves_the_urls_behind() -> None:
    """What travels between processes holds no signature, and everything else."""
    frozen = pickle.dumps(EXPORT)
    assert b"CANARY" not in frozen
    thawed = pickle.loads(frozen)
    assert thawed.artifacts == ()
    assert thawed.id == EXPORT.id
    assert thawed.status is ExportStatus.COMPLETED
    assert thawed.extra["size"] == 3


def test_a_copy_is_the_record_itself() -> None:
    """A frozen record needs no second one."""
    assert copy.copy(EXPORT) is EXPORT
    assert copy.deepcopy([EXPORT])[0] is EXPORT


def test_a_url_is_a_string_or_not_there() -> None:
    """An empty one is not offered; something else is refused, without being shown."""
    assert Export(id="exp_2", csv_url="").csv_url is None
    with pytest.raises(TypeError, match=r"^a URL must be a string or None$"):
        Export(id="exp_2", csv_url=[URL])  # type: ignore[arg-type]


def test_extra_is_a_copy_that_nobody_else_holds() -> None:
    """What it was made from may change afterwards."""
    given = {"size": 3}
    export = Export(id="exp_2", extra=given)
    given["size"] = 4
    assert export.extra == {"size": 3}
    with pytest.raises(TypeError):
        Export(id="exp_2").extra["size"] = 4  # type: ignore[index]
    assert Export(id="exp_3").extra == {}


def test_exports_are_hashable_and_equal_by_value() -> None:
    """They can stand in sets."""
    assert len({Export(id="a"), Export(id="a"), Export(id="b")}) == 2


def test_an_artifact_is_asked_for_by_name_or_member() -> None:
    """Both find the URL; an artifact that is not offered has none."""
    assert EXPORT.url("csv") == EXPORT.url(Artifact.CSV) == URL
    assert EXPORT.url(Artifact.JSON) is None
    assert EXPORT.artifacts == (Artifact.CSV,)
    with pytest.raises(ValueError, match="xlsx"):
        EXPORT.url("xlsx")  # type: ignore[arg-type]


def test_trap_24_open_enums_take_unknown_strings() -> None:
    """An unknown value is a member with a name and a value; something that is no string is none."""
    paused = ExportStatus("paused")
    assert paused == "paused"
    assert (paused.name, paused.value, f"{paused}") == ("PAUSED", "paused", "paused")
    assert paused == ExportStatus("paused")
    assert hash(paused) == hash("paused")
    assert pickle.loads(pickle.dumps(paused)) == paused
    assert list(ExportStatus) == ["queued", "processing", "completed", "failed", "timed_out"]
    with pytest.raises(ValueError, match="3 is not a valid ExportResource"):
        ExportResource(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("told", ["COMPLETED", "Completed", " completed\n", "completed "])
def test_a_known_value_is_recognized_however_it_is_written(told: str) -> None:
    """In capitals, or with blanks around it; an unknown one is kept to the letter."""
    assert ExportStatus(told) is ExportStatus.COMPLETED
    assert export_from_json({"id": "exp_1", "status": told}, "data").status is ExportStatus.COMPLETED
    for spelling in ("TIMED_OUT", "timed-out", "Timed Out"):
        assert ExportStatus(spelling) is ExportStatus.TIMED_OUT
    assert ExportResource("Shipping_Label_Inference") is ExportResource.SHIPPING_LABEL_INFERENCE
    assert ExportStatus("Paused ").value == "Paused "
    assert ExportStatus("").value == ""


@pytest.mark.parametrize(
    ("words", "members"),
    [
        (models.StatusName, ExportStatus),
        (models.ResourceName, ExportResource),
        (models.OrderByName, OrderBy),
        (models.DirectionName, Direction),
        (models.ArtifactName, Artifact),
    ],
)
def test_type_checkers_know_the_words_of_the_enums(words: object, members: type[enum.StrEnum]) -> None:
    """What an editor offers is what there is, in the same order."""
    assert get_args(words) == tuple(members)


def test_a_page_is_read_like_a_sequence() -> None:
    """It can be iterated and measured."""
    page = Page(data=(EXPORT,), pagination=Pagination(has_more=False))
    assert list(page) == [EXPORT]
    assert len(page) == 1
