"""Creates containers in Azurite. Obstore cannot create them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import urllib.request
from email.utils import formatdate
from urllib.parse import urlsplit

VERSION = "2023-11-03"


def create_container(endpoint: str, name: str, key: str) -> None:
    """Create a container with a request that is signed with a shared key."""
    date = formatdate(usegmt=True)
    path = urlsplit(endpoint).path
    account = path.strip("/")
    resource = f"/{account}{path}/{name}\nrestype:container"
    text = "PUT\n\n\n\n\n\n\n\n\n\n\n\n" + f"x-ms-date:{date}\nx-ms-version:{VERSION}\n{resource}"
    signature = base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)).decode()
    headers = {
        "x-ms-date": date,
        "x-ms-version": VERSION,
        "authorization": f"SharedKey {account}:{signature}",
        "content-length": "0",
    }
    url = f"{endpoint}/{name}?restype=container"
    with urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers), timeout=10):
        pass
