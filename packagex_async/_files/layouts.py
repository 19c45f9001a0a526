"""The paths of artifacts below a directory: flat, one directory per export, or from a template.

No two artifacts share a path. A path from a template identifies its export: the only `exp_...` in it is the
id, or the path contains a hash of the id after a `~`. The artifacts of one export have different suffixes.
"""

from __future__ import annotations

import hashlib
import os
import re
import string
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from packagex_async.errors import ConfigurationError
from packagex_async.models import Artifact, Export

# The patterns are compiled at their first use. At import time, that would take 5 % of importing the package.
_SAFE_ID = r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
_DEVICE = r"(?i:con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9])"
_UNSAFE = r"[^A-Za-z0-9_-]+"
SUFFIXES = {
    Artifact.JSON: ".json",
    Artifact.CSV: ".csv",
    Artifact.CSV_ERROR: ".error.csv",
    Artifact.CSV_SANITIZED: ".sanitized.csv",
}
_FILE_TYPES = {artifact: f".{suffix.rpartition('.')[2]}" for artifact, suffix in SUFFIXES.items()}

Layout = Callable[[Export, Artifact], str]
"""A function that returns the path of an artifact, relative to the directory of the download, with `/`."""

_FIELD_NAMES = ("id", "resource", "status", "created", "artifact")
_ID = r"exp_[A-Za-z0-9]+"
# Excludes the tilde, which marks a hash, and characters with a meaning in a shell or file system.
_LITERAL = r"[A-Za-z0-9 _.,=+@()-]*\Z"
# The directives that strftime supports on every platform.
_FORMAT = r"(%[aAbBdHIjmMpSUwWyYGuV]|[A-Za-z0-9 _.,:+-])*\Z"
_HELP = 'layout must be "flat", "folders" or a template such as "{resource}/{created:%Y-%m-%d}/{id}"'


def parse_directory(directory: str | os.PathLike[str]) -> Path:
    """Return the `directory` argument of a public function as a path.

    Raises:
        ConfigurationError: It is not a path, or contains a character that no path can contain.
    """
    try:
        path = Path(directory)
        name = os.fsencode(path)
    except (TypeError, UnicodeEncodeError):
        raise ConfigurationError(f"directory must be a path, not {directory!a}") from None
    if b"\0" in name:
        raise ConfigurationError(f"directory must be a path without NUL characters, not {directory!a}")
    return path


def flat(export: Export, artifact: Artifact) -> str:
    """Return a path in the directory itself: `{id}.csv`."""
    return artifact_file_name(export.id, artifact)


def folders(export: Export, artifact: Artifact) -> str:
    """Return a path in the directory of the export: `{id}/{id}.csv`."""
    return f"{file_stem(export.id)}/{artifact_file_name(export.id, artifact)}"


def parse_layout(text: str) -> Layout:
    """Return the layout for the `layout` argument of a public function.

    Raises:
        ConfigurationError: It is neither the name of a layout nor a valid template.
    """
    if text == "flat":
        return flat
    if text == "folders":
        return folders
    if not isinstance(text, str):
        raise ConfigurationError(f"{_HELP}, not {text!r}")
    return Template(text).path


class Template:
    """A path template such as `{resource}/{created:%Y-%m-%d}/{id}`.

    The fields are `{id}`, `{resource}`, `{status}`, `{created}` and `{artifact}`.

    A suffix is always added: the file type if the template contains `{artifact}`, else the suffix of the
    artifact.

    Args:
        text: The template.

    Raises:
        ConfigurationError: The template leaves its directory, has no `{id}`, or contains an unknown field or
            an unsafe character.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        try:
            self._fields = [
                (literal, name, spec or "", conversion)
                for literal, name, spec, conversion in string.Formatter().parse(text)
            ]
        except ValueError as error:
            raise self._error(f"it is not a valid format string: {error}") from None
        names = [name for _, name, _, _ in self._fields if name is not None]
        for literal, name, spec, conversion in self._fields:
            self._check(literal, name, spec, conversion)
        if "id" not in names:
            raise self._error("it needs {id}, so that no two exports share a path")
        for segment in self._render(dict.fromkeys(names, "x"), lambda _: "x").split("/"):
            self._check_segment(segment)
        self._suffixes = _FILE_TYPES if "artifact" in names else SUFFIXES

    def path(self, export: Export, artifact: Artifact) -> str:
        """Return the path of `artifact` of `export`."""
        values = {
            "id": file_stem(export.id),
            "resource": safe_value(export.resource),
            "status": safe_value(export.status),
            "artifact": artifact.value,
        }
        text = self._render(values, lambda spec: _date(export.created_at, spec))
        if set(re.findall(_ID, text)) != {export.id} and "~" not in text:
            text = f"{text}~{_short_hash(export.id)}"
        *directories, name = text.split("/")
        name += self._suffixes[artifact]
        return "/".join(map(safe_file_name, [*directories, name]))

    def _render(self, values: dict[str, str], created: Callable[[str], str]) -> str:
        return "".join(
            literal + ("" if name is None else created(spec) if name == "created" else values[name])
            for literal, name, spec, _ in self._fields
        )

    def _check(self, literal: str, name: str | None, spec: str, conversion: str | None) -> None:
        if not all(re.match(_LITERAL, part) for part in literal.split("/")):
            raise self._error(f"{literal!r} contains characters that are not safe in every file name")
        if name is None:
            return
        if name not in _FIELD_NAMES or conversion:
            fields = ", ".join(f"{{{field}}}" for field in _FIELD_NAMES)
            unknown = f"{name}!{conversion}" if conversion else name
            raise self._error(f"{{{unknown}}} is not a field; the fields are {fields}")
        if spec and (name != "created" or not re.match(_FORMAT, spec)):
            raise self._error(
                f"{{{name}}} cannot have the format {spec!r}; use one such as {{created:%Y-%m-%d}}"
            )

    def _check_segment(self, segment: str) -> None:
        # Rejects "." and "..", hidden names, and names that Windows changes by dropping dots and spaces.
        if not segment.strip(" .") or segment[0] in " ." or segment[-1] in " .":
            raise self._error(
                f"{segment!r} cannot be a name: it is empty, or begins or ends with a dot or space"
            )

    def _error(self, reason: str) -> ConfigurationError:
        return ConfigurationError(f"{_HELP}, not {self._text!r}: {reason}")


def _date(moment: datetime | None, spec: str) -> str:
    try:
        return safe_value(moment.astimezone(UTC).strftime(spec or "%Y-%m-%d") if moment else "undated")
    except (OverflowError, ValueError):
        # In UTC, the date is outside of the supported years.
        return "undated"


# A layout is called for each artifact of an export.
@lru_cache(maxsize=1)
def file_stem(export_id: str) -> str:
    """Return the id if it is a safe file name, else its safe characters and a hash of the id.

    A safe id contains no `~`, so no two ids share a stem.
    """
    if re.fullmatch(_SAFE_ID, export_id) and not re.fullmatch(_DEVICE, export_id):
        return export_id
    return f"{re.sub(_UNSAFE, '_', export_id)[:60].strip('_-') or 'export'}~{_short_hash(export_id)}"


def _short_hash(export_id: str) -> str:
    return hashlib.sha256(export_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def safe_value(value: str | None) -> str:
    """Return the characters of `value` that are safe in a file name, or `unknown` if there are none."""
    return re.sub(_UNSAFE, "_", value or "")[:40].strip("_-") or "unknown"


def safe_file_name(name: str) -> str:
    """Return `name`, with an underscore in front if Windows reserves it for a device."""
    return f"_{name}" if re.fullmatch(_DEVICE, name.partition(".")[0].rstrip()) else name


def artifact_file_name(export_id: str, artifact: Artifact) -> str:
    """Return the name of the file of `artifact`."""
    return file_stem(export_id) + SUFFIXES[artifact]
