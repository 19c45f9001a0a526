"""An export id and an artifact to a safe, collision-free file name."""

from __future__ import annotations

import hashlib
import re

from packagex_async.models import Artifact

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
