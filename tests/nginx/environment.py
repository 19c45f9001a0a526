"""A client that downloads from nginx through a proxy that interrupts connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import attrs

from packagex_async import AsyncPackageX
from packagex_async.testing import Emulator
from tests.nginx.proxy import Cut, CuttingProxy
from tests.nginx.server import Nginx
from tests.support import NO_BACKOFF


class NginxStorageEmulator(Emulator):
    """The API of the emulator, with download URLs that point through `proxy` to nginx.

    Attributes:
        location: The location of the nginx configuration in the URLs.
        lifetime: Seconds until the URLs expire.
    """

    def __init__(self, nginx: Nginx, proxy: CuttingProxy) -> None:
        super().__init__(populate=False)
        self.location = "fast"
        self.lifetime = 3600.0
        self._nginx = nginx
        self._proxy = proxy

    def add_to_nginx(self, content: Mapping[str, bytes]) -> str:
        """Add an export with artifacts that nginx serves; return its id."""
        export = self.add_export(content=content)
        for artifact, body in content.items():
            self._nginx.put(f"{export.id}.{artifact}", body)
        return export.id

    def url_for(self, export_id: str, artifact: str, expires_in: float | None = None) -> str:
        """Return a signed URL of an artifact."""
        lifetime = self.lifetime if expires_in is None else expires_in
        return self._proxy.origin + self._nginx.target(self.location, f"{export_id}.{artifact}", lifetime)


@attrs.frozen
class Environment:
    """The API, the proxy, and a client that does not wait between attempts."""

    api: NginxStorageEmulator
    proxy: CuttingProxy
    px: AsyncPackageX


@asynccontextmanager
async def environment(nginx: Nginx, cuts: Iterable[Cut | None] = ()) -> AsyncIterator[Environment]:
    """Start the API and the proxy, and open a client; `cuts` interrupt the connections."""
    async with CuttingProxy(nginx.port, cuts) as proxy, NginxStorageEmulator(nginx, proxy) as api:
        async with api.client(retry=NO_BACKOFF) as px:
            yield Environment(api, proxy, px)
