"""The README as an index shows it, where no file is beside it that a link or an image could lead to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_NEARBY = r"(?!https:|#)[^)\s]+"
_IMAGE = rf"!\[[^]]*\]\({_NEARBY}\)\n*"
_LINK = rf"\[([^]]*)\]\({_NEARBY}\)"


def for_index(readme: str) -> str:
    """The same text; of a link to a file its words are left, of an image nothing."""
    return re.sub(_LINK, r"\1", re.sub(_IMAGE, "", readme))


class IndexReadme(MetadataHookInterface):
    """Gives sdist and wheel their long description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set it."""
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": for_index(readme)}
