"""Errors in the use of the command line."""

from __future__ import annotations

import copy
import pickle

from packagex_async import ConfigurationError
from packagex_async.cli.messages.usage import UsageError


def test_usage_error_is_a_configuration_error() -> None:
    """It has a hint, and can be pickled and copied."""
    error = UsageError("wrong", hint="correct it")
    assert isinstance(error, ConfigurationError)
    for other in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(other), other.hint) == ("wrong", "correct it")
    assert UsageError("wrong").hint is None
