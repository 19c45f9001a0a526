"""Generate realistic rows in CSV and JSON. The same seed generates the same rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from packagex_async.testing.data.file_format import FileFormat

Generator = Callable[[random.Random], Any]
Record = dict[str, Any]

_FIRST_NAMES = (
    "Ada", "Bilal", "Chloé", "Dmitri", "Esi", "Femke", "Gökçe", "Hana", "Iñigo", "Joy", "Kwame", "Lena",
)  # fmt: skip
_LAST_NAMES = (
    "Abara", "Brandt", "Costa", "Dvořák", "Eklund", "Faßbender", "García", "Haddad", "Ito", "Jensen",
    "O'Neil",
)  # fmt: skip
_COMPANIES = (
    "Alder & Sons",
    "Birch, Ltd",
    "Cedar Freight",
    'Dogwood "Express"',
    "Elm Supply",
    "Fir Logistics",
)
_STREETS = ("Main St", "Oak Ave", "Harbor Blvd", "5th Ave", "Mill Rd", "Station Sq")
_CITIES = ("New York, NY", "Austin, TX", "Oakland, CA", "Lahore", "Reno, NV", "Łódź")
_CARRIERS = ("ups", "usps", "fedex", "dhl", "ontrac")
_TRACKING_STATUSES = ("label_created", "in_transit", "out_for_delivery", "delivered", "exception", "returned")
_ROW_ERRORS = (
    "phone is not a number",
    "email is missing",
    "address not found",
    "duplicate of an earlier row",
)
_FORMULAS = (
    '=HYPERLINK("http://evil.example","Invoice")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "-2+3+cmd|'x'",
)
_CODE_CHARACTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _choice(choices: Sequence[str]) -> Generator:
    return lambda rng: rng.choice(choices)


def _integer(minimum: int, maximum: int) -> Generator:
    return lambda rng: rng.randint(minimum, maximum)


def _code(prefix: str, length: int) -> Generator:
    return lambda rng: prefix + "".join(rng.choices(_CODE_CHARACTERS, k=length))


def _name(rng: random.Random) -> str:
    return f"{rng.choice(_FIRST_NAMES)} {rng.choice(_LAST_NAMES)}"


def _phone(rng: random.Random) -> str:
    return f"+1{rng.randint(2_000_000_000, 9_999_999_999)}"


def _address(rng: random.Random) -> str:
    return f"{rng.randint(1, 9999)} {rng.choice(_STREETS)}\n{rng.choice(_CITIES)}"


def _email(rng: random.Random) -> str:
    return f"{rng.choice(_FIRST_NAMES)}.{rng.randint(1, 99999)}@example.com".lower()


_TIMESTAMP = _integer(1_704_067_200, 1_735_689_599)
_PARCEL: Mapping[str, Generator] = {
    "tracking_number": _code("1Z", 16), "carrier": _choice(_CARRIERS), "status": _choice(_TRACKING_STATUSES),
}  # fmt: skip
_COMMON: Mapping[str, Generator] = {"name": _choice(_COMPANIES), "created_at": _TIMESTAMP}
_COLUMNS: Mapping[str, Mapping[str, Generator]] = {
    "contact": {
        "id": _code("cont_", 12), "name": _name, "email": _email, "phone": _phone,
        "company": _choice(_COMPANIES), "address": _address, "created_at": _TIMESTAMP,
    },
    "group": {"id": _code("grp_", 12), **_COMMON, "members": _integer(1, 400)},
    "location": {"id": _code("loc_", 12), **_COMMON, "address": _address},
    "shipment": {
        "id": _code("ship_", 12), **_PARCEL, "sender": _choice(_COMPANIES), "recipient": _name,
        "address": _address, "weight_oz": _integer(1, 1120), "created_at": _TIMESTAMP,
    },
    "tracker": {"id": _code("trk_", 12), **_PARCEL, "last_seen": _choice(_CITIES), "eta": _TIMESTAMP},
    "shipping_label_inference": {
        "id": _code("inf_", 12), **_PARCEL, "recipient": _name, "confidence_percent": _integer(40, 100),
    },
    "fulfillment": {"id": _code("ful_", 12), "recipient": _name, "items": _integer(1, 30)},
    "item": {"id": _code("item_", 12), **_COMMON, "sku": _code("SKU-", 8), "on_hand": _integer(0, 900)},
    "manifest": {"id": _code("man_", 12), "carrier": _choice(_CARRIERS), "parcels": _integer(1, 250)},
    "asset": {"id": _code("ast_", 12), **_COMMON, "serial": _code("", 10)},
}  # fmt: skip
_DEFAULT_COLUMNS: Mapping[str, Generator] = {"id": _code("obj_", 12), **_COMMON}


def generate(artifact: str, resource: str, rows: int, *, seed: str, file_format: FileFormat) -> bytes:
    """Return the bytes of one artifact with `rows` rows of `resource`."""
    columns = _COLUMNS.get(resource, _DEFAULT_COLUMNS)
    # A string seeds `Random` identically in every process; `hash()` of a string differs.
    rng = random.Random(f"{seed}/{_SEED_SUFFIXES.get(artifact, 'data')}")  # not used for secrets
    # Records are generated one by one, because those of a large file take much more memory than the file.
    records = ({name: generator(rng) for name, generator in columns.items()} for _ in range(rows))
    if artifact == "json":
        return file_format.write_json(records)
    header = (*columns, "error") if artifact == "csv_error" else tuple(columns)
    # The random numbers of the error reasons and of the formulas follow those of all records.
    given = records if artifact == "csv" else list(records)
    return file_format.write_csv(header, (_cells(artifact, record, rng) for record in given))


def _cells(artifact: str, record: Record, rng: random.Random) -> list[Any]:
    """Return the cells of a row. Every error has a reason, and every sanitized row a formula in its name."""
    cells = list(record.values())
    if artifact == "csv_error":
        cells.append(rng.choice(_ROW_ERRORS))
    if artifact == "csv_sanitized":
        # The leading apostrophe prevents spreadsheets from evaluating the formula.
        cells[1] = "'" + rng.choice(_FORMULAS)
    return cells


_SEED_SUFFIXES = {"csv_error": "error", "csv_sanitized": "sanitized"}
