"""A client whose way to nginx leads through the cutting proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import attrs

from packagex_async import AsyncPackageX
from packagex_async.testing import Emulator
from tests.nginx.proxy import Cut, CuttingProxy
from tests.nginx.server import Nginx
from tests.support import AT_ONCE


class Api(Emulator):
    """The emulated API, whose links lead through `proxy` to what nginx serves.

    Attributes:
        place: Which location of nginx's the links lead to.
        lifetime: Seconds that the links live.
    """

    def __init__(self, nginx: Nginx, proxy: CuttingProxy) -> None:
        super().__init__(populate=False)
        self.place = "fast"
        self.lifetime = 3600.0
        self._nginx = nginx
        self._proxy = proxy

    def offer(self, content: Mapping[str, bytes]) -> str:
        """Add an export whose artifacts nginx serves; return its id."""
        export = self.add_export(content=content)
        for artifact, body in content.items():
            self._nginx.put(f"{export.id}.{artifact}", body)
        return export.id

    def url_for(self, export_id: str, artifact: str, expires_in: float | None = None) -> str:
        lifetime = self.lifetime if expires_in is None else expires_in
        return self._proxy.origin + self._nginx.target(self.place, f"{export_id}.{artifact}", lifetime)


@attrs.frozen
class FarSide:
    """The API, the proxy before nginx, and a client of them that does not wait between tries."""

    api: Api
    proxy: CuttingProxy
    px: AsyncPackageX


@asynccontextmanager
async def far_side(nginx: Nginx, cuts: Iterable[Cut | None] = ()) -> AsyncIterator[FarSide]:
    """Everything but nginx, with what is to befall the connections."""
    async with CuttingProxy(nginx.port, cuts) as proxy, Api(nginx, proxy) as api:
        async with api.client(retry=AT_ONCE) as px:
            yield FarSide(api, proxy, px)
