"""Signed URLs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from packagex_async.testing.server.signing import Signer, parse_path


def test_signed_target_is_verified() -> None:
    """The expiry time is rounded to seconds. Another signer rejects the signature."""
    target = Signer().sign("exp_1", "csv", expires=12.4)
    assert Signer().expiry(target) is None
    signer = Signer()
    assert signer.expiry(signer.sign("exp_1", "csv", expires=12.4)) == 12


@pytest.mark.parametrize("change", [lambda target: target + "0", lambda target: target.replace("%2F", "/")])
def test_changed_target_is_rejected(change: Callable[[str], str]) -> None:
    """Any change of the text invalidates the signature."""
    signer = Signer()
    assert signer.expiry(change(signer.sign("exp_1", "csv", expires=12))) is None


@pytest.mark.parametrize("export_id", ["exp_1", "../a%2Fb ü"])
def test_path_contains_export_and_artifact(export_id: str) -> None:
    """Special characters are percent-encoded."""
    path = Signer().sign(export_id, "csv", expires=12).partition("?")[0]
    assert parse_path(path) == (export_id, "csv")


def test_other_paths() -> None:
    """They name no object."""
    assert parse_path("/elsewhere/exp_1/csv") == (None, None)
