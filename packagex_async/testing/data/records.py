"""Believable rows: the same seed gives the same contacts, shipments and trackers, in CSV and in JSON."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Maker = Callable[[random.Random], Any]
Row = dict[str, Any]

_FIRST = ("Ada", "Bilal", "Chloé", "Dmitri", "Esi", "Femke", "Gökçe", "Hana", "Iñigo", "Joy", "Kwame", "Lena")
_LAST = (
    "Abara",
    "Brandt",
    "Costa",
    "Dvořák",
    "Eklund",
    "Faßbender",
    "García",
    "Haddad",
    "Ito",
    "Jensen",
    "O'Neil",
)
_FIRMS = ("Alder & Sons", "Birch, Ltd", "Cedar Freight", 'Dogwood "Express"', "Elm Supply", "Fir Logistics")
_STREETS = ("Main St", "Oak Ave", "Harbor Blvd", "5th Ave", "Mill Rd", "Station Sq")
_CITIES = ("New York, NY", "Austin, TX", "Oakland, CA", "Lahore", "Reno, NV", "Łódź")
_CARRIERS = ("ups", "usps", "fedex", "dhl", "ontrac")
_STAGES = ("label_created", "in_transit", "out_for_delivery", "delivered", "exception", "returned")
_COMPLAINTS = (
    "phone is not a number",
    "email is missing",
    "address not found",
    "duplicate of an earlier row",
)
_ATTACKS = (
    '=HYPERLINK("http://evil.example","Invoice")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "-2+3+cmd|'x'",
)
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _one_of(choices: Sequence[str]) -> Maker:
    return lambda dice: dice.choice(choices)


def _between(least: int, most: int) -> Maker:
    return lambda dice: dice.randint(least, most)


def _coded(prefix: str, length: int) -> Maker:
    return lambda dice: prefix + "".join(dice.choices(_DIGITS, k=length))


def _name(dice: random.Random) -> str:
    return f"{dice.choice(_FIRST)} {dice.choice(_LAST)}"


def _phone(dice: random.Random) -> str:
    return f"+1{dice.randint(2_000_000_000, 9_999_999_999)}"


def _address(dice: random.Random) -> str:
    return f"{dice.randint(1, 9999)} {dice.choice(_STREETS)}\n{dice.choice(_CITIES)}"


def _email(dice: random.Random) -> str:
    return f"{dice.choice(_FIRST)}.{dice.randint(1, 99999)}@example.com".lower()


_MOMENT = _between(1_704_067_200, 1_735_689_599)
_PARCEL: Mapping[str, Maker] = {
    "tracking_number": _coded("1Z", 16), "carrier": _one_of(_CARRIERS), "status": _one_of(_STAGES),
}  # fmt: skip
_NAMED: Mapping[str, Maker] = {"name": _one_of(_FIRMS), "created_at": _MOMENT}
_COLUMNS: Mapping[str, Mapping[str, Maker]] = {
    "contact": {
        "id": _coded("cont_", 12), "name": _name, "email": _email, "phone": _phone,
        "company": _one_of(_FIRMS), "address": _address, "created_at": _MOMENT,
    },
    "group": {"id": _coded("grp_", 12), **_NAMED, "members": _between(1, 400)},
    "location": {"id": _coded("loc_", 12), **_NAMED, "address": _address},
    "shipment": {
        "id": _coded("ship_", 12), **_PARCEL, "sender": _one_of(_FIRMS), "recipient": _name,
        "address": _address, "weight_oz": _between(1, 1120), "created_at": _MOMENT,
    },
    "tracker": {"id": _coded("trk_", 12), **_PARCEL, "last_seen": _one_of(_CITIES), "eta": _MOMENT},
    "shipping_label_inference": {
        "id": _coded("inf_", 12), **_PARCEL, "recipient": _name, "confidence_percent": _between(40, 100),
    },
    "fulfillment": {"id": _coded("ful_", 12), "recipient": _name, "items": _between(1, 30)},
    "item": {"id": _coded("item_", 12), **_NAMED, "sku": _coded("SKU-", 8), "on_hand": _between(0, 900)},
    "manifest": {"id": _coded("man_", 12), "carrier": _one_of(_CARRIERS), "parcels": _between(1, 250)},
    "asset": {"id": _coded("ast_", 12), **_NAMED, "serial": _coded("", 10)},
}  # fmt: skip
_ANYTHING: Mapping[str, Maker] = {"id": _coded("obj_", 12), **_NAMED}


def generate(artifact: str, resource: str, rows: int, *, seed: str) -> bytes:
    """The bytes of one artifact: `rows` rows of `resource`, the same for the same `seed`."""
    columns = _COLUMNS.get(resource, _ANYTHING)
    # Text seeds a Random alike in every process, which a hash would not.
    dice = random.Random(f"{seed}/{_STREAMS.get(artifact, 'data')}")  # believable, not secret
    made = [{name: make(dice) for name, make in columns.items()} for _ in range(rows)]
    return _WRITERS[artifact](made, tuple(columns), dice)


def _json(rows: list[Row], _columns: Sequence[str], _dice: random.Random) -> bytes:
    return json.dumps(rows, ensure_ascii=False, indent=1).encode()


def _csv(rows: list[Row], columns: Sequence[str], _dice: random.Random) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _csv_error(rows: list[Row], columns: Sequence[str], dice: random.Random) -> bytes:
    failed = [{**row, "error": dice.choice(_COMPLAINTS)} for row in rows]
    return _csv(failed, (*columns, "error"), dice)


def _csv_sanitized(rows: list[Row], columns: Sequence[str], dice: random.Random) -> bytes:
    # The leading apostrophe keeps a spreadsheet from running the cell.
    harmless = [{**row, columns[1]: "'" + dice.choice(_ATTACKS)} for row in rows]
    return _csv(harmless, columns, dice)


_WRITERS = {"json": _json, "csv": _csv, "csv_error": _csv_error, "csv_sanitized": _csv_sanitized}
_STREAMS = {"csv_error": "error", "csv_sanitized": "sanitized"}
