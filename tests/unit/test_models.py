"""Records are immutable, accept unknown values, and do not show URLs."""

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
    """Neither an attribute nor `extra` can be changed."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        EXPORT.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        EXPORT.extra["size"] = 4  # type: ignore[index]


def test_trap_09_a_repr_shows_no_url() -> None:
    """Neither of a known nor of an unknown field."""
    assert "CANARY" not in repr(EXPORT)
    assert "CANARY" not in str(EXPORT)
    assert "extra=<_xlsx_url, links, size>" in repr(EXPORT)
    assert repr(Export(id="exp_2")) == "Export(id='exp_2')"
    assert "CANARY" not in repr(Page(data=(EXPORT,), pagination=Pagination(has_more=False)))


def test_trap_09_a_pickle_contains_no_urls() -> None:
    """All other fields are kept."""
    pickled = pickle.dumps(EXPORT)
    assert b"CANARY" not in pickled
    unpickled = pickle.loads(pickled)
    assert unpickled.artifacts == ()
    assert unpickled.id == EXPORT.id
    assert unpickled.status is ExportStatus.COMPLETED
    assert unpickled.extra["size"] == 3


def test_a_copy_is_the_same_record() -> None:
    """An immutable record need not be copied."""
    assert copy.copy(EXPORT) is EXPORT
    assert copy.deepcopy([EXPORT])[0] is EXPORT


def test_a_url_is_a_string_or_none() -> None:
    """An empty string means `None`. Other types are an error, which does not show the value."""
    assert Export(id="exp_2", csv_url="").csv_url is None
    with pytest.raises(TypeError, match=r"^a URL must be a string or None$"):
        Export(id="exp_2", csv_url=[URL])  # type: ignore[arg-type]


def test_extra_is_a_copy() -> None:
    """Changes of the original mapping have no effect."""
    given = {"size": 3}
    export = Export(id="exp_2", extra=given)
    given["size"] = 4
    assert export.extra == {"size": 3}
    with pytest.raises(TypeError):
        Export(id="exp_2").extra["size"] = 4  # type: ignore[index]
    assert Export(id="exp_3").extra == {}


def test_exports_are_hashable_and_equal_by_value() -> None:
    """They can be elements of sets."""
    assert len({Export(id="a"), Export(id="a"), Export(id="b")}) == 2


def test_the_url_of_an_artifact() -> None:
    """By name or by member of the enum. An artifact that is not offered has none."""
    assert EXPORT.url("csv") == EXPORT.url(Artifact.CSV) == URL
    assert EXPORT.url(Artifact.JSON) is None
    assert EXPORT.artifacts == (Artifact.CSV,)
    with pytest.raises(ValueError, match="xlsx"):
        EXPORT.url("xlsx")  # type: ignore[arg-type]


def test_trap_24_enums_accept_unknown_strings() -> None:
    """They become members with a name and a value. Other types are an error."""
    paused = ExportStatus("paused")
    assert paused == "paused"
    assert (paused.name, paused.value, f"{paused}") == ("PAUSED", "paused", "paused")
    assert paused == ExportStatus("paused")
    assert hash(paused) == hash("paused")
    assert pickle.loads(pickle.dumps(paused)) == paused
    assert list(ExportStatus) == ["queued", "processing", "completed", "failed", "timed_out"]
    with pytest.raises(ValueError, match="3 is not a valid ExportResource"):
        ExportResource(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["COMPLETED", "Completed", " completed\n", "completed "])
def test_a_known_value_is_recognized_in_other_spellings(text: str) -> None:
    """In upper case, or with spaces or hyphens. An unknown value is not changed."""
    assert ExportStatus(text) is ExportStatus.COMPLETED
    assert export_from_json({"id": "exp_1", "status": text}, "data").status is ExportStatus.COMPLETED
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
def test_the_literal_types_match_the_enums(words: object, members: type[enum.StrEnum]) -> None:
    """An editor offers the same values, in the same order."""
    assert get_args(words) == tuple(members)


def test_a_page_is_iterable_and_has_a_length() -> None:
    """Its exports are those in `data`."""
    page = Page(data=(EXPORT,), pagination=Pagination(has_more=False))
    assert list(page) == [EXPORT]
    assert len(page) == 1
