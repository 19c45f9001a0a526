"""Where in a folder an artifact goes: flat, a folder for each export, or as a template says; always safe.

From a path made by a template the export can be told again: the only `exp_...` in it is the id, or a hash
of the id stands behind a `~`. So no two exports share a path, whatever their resources, dates and states
are, and the artifacts of one export differ by their suffixes.
"""

from __future__ import annotations

import hashlib
import os
import re
import string
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from packagex_async.errors import ConfigurationError
from packagex_async.models import Artifact, Export

# Compiled when they are first used: it would be a twentieth of what importing the package costs.
_PLAIN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
_DEVICE = r"(?i:con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9])"
_UNSAFE = r"[^A-Za-z0-9_-]+"
SUFFIXES = {
    Artifact.JSON: ".json",
    Artifact.CSV: ".csv",
    Artifact.CSV_ERROR: ".error.csv",
    Artifact.CSV_SANITIZED: ".sanitized.csv",
}


Layout = Callable[[Export, Artifact], PurePosixPath]
"""The path of an artifact, relative to the folder that everything goes to."""

_FIELDS = ("id", "resource", "status", "created", "artifact")
# Compiled when they are first used, if ever: most folders are flat.
_ID = r"exp_[A-Za-z0-9]+"
# Without the tilde, which is for hashes, and without what has a meaning to some shell or file system.
_LITERAL = r"[A-Za-z0-9 _.,=+@()-]*\Z"
# What strftime knows on every platform.
_FORMAT = r"(%[aAbBdHIjmMpSUwWyYGuV]|[A-Za-z0-9 _.,:+-])*\Z"
_HELP = 'layout is "flat", "folders" or a template such as "{resource}/{created:%Y-%m-%d}/{id}"'


def directory_path(directory: str | os.PathLike[str]) -> Path:
    """Return the path of a directory that a caller names.

    Raises:
        ConfigurationError: No directory can have that path.
    """
    try:
        path = Path(directory)
        name = os.fsencode(path)
    except (TypeError, UnicodeEncodeError):
        raise ConfigurationError(f"directory must be a path, not {directory!a}") from None
    if b"\0" in name:
        raise ConfigurationError(f"directory must be a path, and a path has no NUL character: {directory!a}")
    return path


def flat(export: Export, artifact: Artifact) -> PurePosixPath:
    """Everything side by side: `{id}.csv`."""
    return PurePosixPath(artifact_name(export.id, artifact))


def folders(export: Export, artifact: Artifact) -> PurePosixPath:
    """A folder for each export: `{id}/{id}.csv`."""
    return PurePosixPath(file_stem(export.id), artifact_name(export.id, artifact))


def layout_of(text: str) -> Layout:
    """The layout that a caller names.

    Raises:
        ConfigurationError: There is no such layout, or a template that cannot work.
    """
    if text == "flat":
        return flat
    if text == "folders":
        return folders
    if not isinstance(text, str):
        raise ConfigurationError(f"{_HELP}, not {text!r}")
    return Template(text).path


class Template:
    """A template of `{id} {resource} {status} {created:%Y-%m-%d} {artifact}`, its folders parted by `/`.

    A suffix is always added: that of the artifact, or where `{artifact}` stands in the template, just the
    file type.

    Args:
        text: The template.

    Raises:
        ConfigurationError: It leads out of its folder, has no `{id}`, or has anything else that is not meant
            for a path.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        try:
            self._parts = [
                (literal, name, spec or "", conversion)
                for literal, name, spec, conversion in string.Formatter().parse(text)
            ]
        except ValueError as error:
            raise self._wrong(f"it cannot be read: {error}") from None
        names = [name for _, name, _, _ in self._parts if name is not None]
        for literal, name, spec, conversion in self._parts:
            self._check(literal, name, spec, conversion)
        if "id" not in names:
            raise self._wrong("without {id}, exports would share a path")
        for segment in self._render(dict.fromkeys(names, "x"), lambda _: "x").split("/"):
            self._check_segment(segment)
        self._suffixes = _TYPES if "artifact" in names else SUFFIXES

    def path(self, export: Export, artifact: Artifact) -> PurePosixPath:
        """Where `artifact` of `export` goes."""
        values = {
            "id": file_stem(export.id),
            "resource": safe_value(export.resource),
            "status": safe_value(export.status),
            "artifact": artifact.value,
        }
        text = self._render(values, lambda spec: _date(export.created_at, spec))
        if set(re.findall(_ID, text)) != {export.id} and "~" not in text:
            digest = hashlib.sha256(export.id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
            text = f"{text}~{digest}"
        *above, name = text.split("/")
        return PurePosixPath(*map(safe_file_name, above), safe_file_name(name + self._suffixes[artifact]))

    def _render(self, values: dict[str, str], created: Callable[[str], str]) -> str:
        return "".join(
            literal + ("" if name is None else created(spec) if name == "created" else values[name])
            for literal, name, spec, _ in self._parts
        )

    def _check(self, literal: str, name: str | None, spec: str, conversion: str | None) -> None:
        if not all(re.match(_LITERAL, part) for part in literal.split("/")):
            raise self._wrong(f"{literal!r} has characters that are not safe in every file name")
        if name is None:
            return
        if name not in _FIELDS or conversion:
            fields = ", ".join(f"{{{field}}}" for field in _FIELDS)
            raise self._wrong(f"{{{name}}} is none of its fields, which are {fields}")
        if spec and (name != "created" or not re.match(_FORMAT, spec)):
            raise self._wrong(f"{{{name}}} takes no format {spec!r}; {{created}} takes one like %Y-%m-%d")

    def _check_segment(self, segment: str) -> None:
        # "." and ".." among them; a name that begins with a dot is hidden, and Windows drops dots and blanks.
        if not segment.strip(" .") or segment[0] in " ." or segment[-1] in " .":
            raise self._wrong(
                f"{segment!r} cannot be a name: it is empty, or begins or ends with a dot or blank"
            )

    def _wrong(self, why: str) -> ConfigurationError:
        return ConfigurationError(f"{_HELP}, not {self._text!r}: {why}")


_TYPES = {artifact: SUFFIXES[artifact][SUFFIXES[artifact].rindex(".") :] for artifact in Artifact}


def _date(moment: datetime | None, spec: str) -> str:
    try:
        return safe_value(moment.astimezone(UTC).strftime(spec or "%Y-%m-%d") if moment else "undated")
    except (OverflowError, ValueError):
        # In UTC it is outside the years that dates have.
        return "undated"


def file_stem(export_id: str) -> str:
    """The id as it stands when it is plain, else what is safe of it and a short hash of the whole.

    A plain id has no `~`, so no two ids share a stem.
    """
    if re.fullmatch(_PLAIN, export_id) and not re.fullmatch(_DEVICE, export_id):
        return export_id
    digest = hashlib.sha256(export_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{re.sub(_UNSAFE, '_', export_id)[:60].strip('_-') or 'export'}~{digest}"


def safe_value(value: str | None) -> str:
    """What is safe in any file name of a value that is no id; something, whatever it is."""
    return re.sub(_UNSAFE, "_", value or "")[:40].strip("_-") or "unknown"


def safe_file_name(name: str) -> str:
    """The name as it stands, unless it is one that Windows keeps for a device."""
    return f"_{name}" if re.fullmatch(_DEVICE, name.partition(".")[0].rstrip()) else name


def artifact_name(export_id: str, artifact: Artifact) -> str:
    """The name of the file that holds `artifact` of the export."""
    return file_stem(export_id) + SUFFIXES[artifact]
