"""A dlt source with the rows of all exports (extra `dlt`)."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from packagex_async.errors import ConfigurationError

if TYPE_CHECKING:
    from dlt.extract import DltSource
    

def exports_source(*, api_key=None, base_url=None, artifact="csv", types=None, **filters):
    from packagex_async.integrations.dlt.parameters import parse_parameters
    from packagex_async.integrations.dlt.source import new_source
    return new_source(parse_parameters(api_key, base_url, artifact, types, filters))
