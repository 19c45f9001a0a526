"""Metadata of an object in storage: length, hashes, validators, media type."""

from __future__ import annotations

import enum
from operator import index
from typing import TYPE_CHECKING, Any

import attrs

from packagex_async._utils import hashing

if TYPE_CHECKING:
    from multidict import MultiMapping

Hashes = frozenset[tuple[str, bytes]]
"""Pairs of an algorithm and a digest."""

HASH_SIZES = {"crc32c": 4, "md5": 16}
"""The supported algorithms and the bytes of their digests."""


class Match(enum.Enum):
    """The result of comparing the validators of two responses."""

    SAME = "an equal strong validator"
    DIFFERENT = "a different strong validator"
    WEAKLY_SAME = "an equal Last-Modified, and no strong validator to compare"
    WEAKLY_DIFFERENT = "a different Last-Modified, and no strong validator to compare"
    UNKNOWN = "no validator to compare"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Validators:
    """The values that identify the content of an object.

    Attributes:
        etag: The strong ETag, if there is one.
        generation: Google's `x-goog-generation`, which is as strong as a strong ETag.
        modified: The `Last-Modified` text, which is weak.
    """

    etag: str | None = None
    generation: str | None = None
    modified: str | None = None

    @classmethod
    def from_headers(cls, headers: MultiMapping[str]) -> Validators:
        """Read the validators of a response."""
        return cls(
            etag=_strong_etag(headers.get("ETag", "")),
            generation=headers.get("x-goog-generation"),
            modified=headers.get("Last-Modified"),
        )

    @property
    def is_strong(self) -> bool:
        """Whether there is a strong validator."""
        return bool(self.etag or self.generation)

    def to_json(self) -> dict[str, str | None]:
        """Return the validators as JSON."""
        return {"etag": self.etag, "generation": self.generation, "modified": self.modified}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Validators:
        """Read the validators from the metadata of a partial file, which may be damaged.

        Raises:
            KeyError: A validator is missing.
            TypeError: A validator is not a string.
            ValueError: The ETag is not a strong ETag.
        """
        texts = [stored[name] for name in ("etag", "generation", "modified")]
        if not all(text is None or isinstance(text, str) for text in texts):
            raise TypeError("a validator must be a string")
        etag, generation, modified = texts
        if etag is not None and _strong_etag(etag) is None:
            raise ValueError("not a strong ETag")
        return cls(etag=etag, generation=generation, modified=modified)

    def compare(self, other: Validators) -> Match:
        """Compare the validators that both have. Strong validators take precedence."""
        strong = [
            ours == theirs
            for ours, theirs in ((self.etag, other.etag), (self.generation, other.generation))
            if ours and theirs
        ]
        if strong:
            return Match.SAME if all(strong) else Match.DIFFERENT
        if self.modified and other.modified:
            return Match.WEAKLY_SAME if self.modified == other.modified else Match.WEAKLY_DIFFERENT
        return Match.UNKNOWN

    def confirms(self, other: Validators) -> bool:
        """Return whether the strongest validators of both are of the same kind and equal."""
        if self.compare(other) is Match.DIFFERENT:
            return False
        for name in ("etag", "generation", "modified"):
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours or theirs:
                return bool(ours == theirs)
        return False

    def merged_with(self, other: Validators) -> Validators:
        """Return these validators, completed by the validators of `other`."""
        return Validators(
            etag=self.etag or other.etag,
            generation=self.generation or other.generation,
            modified=self.modified or other.modified,
        )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ObjectMetadata:
    """Everything that is known about an object in storage.

    Attributes:
        length: The number of bytes on the wire, declared by the response that contains them.
        size: The number of bytes of the decoded object, declared by any response.
        encoding: The content coding of the bytes on the wire, or `None`.
        hashes: The declared hashes of the supported algorithms. All of them must match.
        validators: The values that identify the content.
        media_type: The declared media type, in lower case and without parameters; empty if unknown.
        accepts_ranges: `False` if the storage host declares that it does not support ranges.
        disputed_size: A different size in bytes that an earlier response has declared.
    """

    length: int | None = None
    size: int | None = None
    encoding: str | None = None
    hashes: Hashes = frozenset()
    validators: Validators = Validators()
    media_type: str = ""
    accepts_ranges: bool = True
    disputed_size: int | None = None

    @property
    def algorithms(self) -> frozenset[str]:
        """The hash algorithms to compute."""
        return frozenset(name for name, _ in self.hashes)

    @property
    def wire_length(self) -> int | None:
        """The number of bytes on the wire, declared or deduced from the size."""
        return self.size if self.length is None and self.encoding is None else self.length

    @property
    def is_resumable(self) -> bool:
        """Whether an interrupted transfer may continue: the content must be identified by validators."""
        if self.length is None or self.encoding is not None:
            return False
        identified = self.validators.generation or self.validators.modified
        return bool(self.validators.etag or (identified and self.hashes))

    @property
    def is_recognizable(self) -> bool:
        """Whether a later response with the complete object can be recognized as the same object."""
        return self.is_resumable or (self.length is not None and self.encoding is None and bool(self.hashes))

    @property
    def is_divisible(self) -> bool:
        """Whether several connections may download it: a strong validator must identify the content."""
        return self.accepts_ranges and self.validators.is_strong and self.is_resumable

    def range_headers(self, start: int, end: int) -> dict[str, str]:
        """Return the headers that request the bytes from `start` up to `end`, if the content is unchanged."""
        condition = {"If-Range": self.validators.etag} if self.validators.etag else {}
        last = "" if end == self.length or start == end else end - 1
        return {"Range": f"bytes={start}-{last}", **condition}

    def to_json(self) -> dict[str, Any]:
        """Return the metadata as JSON for a partial file. It contains no URL."""
        return {
            "length": self.length,
            # Only a hash can detect a damaged partial file.
            "algorithm": min(self.algorithms, default=None),
            "hashes": sorted([name, digest.hex()] for name, digest in self.hashes),
            "validators": self.validators.to_json(),
            "media_type": self.media_type,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> ObjectMetadata:
        """Read the result of `to_json`; return empty metadata if it is not readable."""
        try:
            length = index(stored["length"])
            return cls(
                length=length,
                size=length,
                hashes=frozenset(_hash(name, bytes.fromhex(text)) for name, text in stored["hashes"]),
                validators=Validators.from_json(stored["validators"]),
                media_type=str(stored["media_type"]),
            )
        except (KeyError, TypeError, ValueError):
            return cls()


NOTHING_KNOWN = ObjectMetadata()
"""The metadata before the first response."""


def _strong_etag(text: str) -> str | None:
    is_quoted = len(text) > len('""') and text[0] == text[-1] == '"'
    # Requests send the ETag in If-Range, so it must be valid in a header. Some servers send an empty ETag
    # with every object. It identifies nothing.
    return text if is_quoted and text.isascii() and text.isprintable() else None


def _hash(name: str, digest: bytes) -> tuple[str, bytes]:
    if len(digest) != HASH_SIZES.get(name) or not hashing.is_supported(name):
        raise ValueError("not a supported hash")
    return name, digest
