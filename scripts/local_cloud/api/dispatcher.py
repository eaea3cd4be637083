"""Moto's dispatcher of requests to its services, which looks for each host's service once."""

from __future__ import annotations

import functools
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

_HOSTS = 1024
"""How many hosts' services are remembered: a name that a client makes up is one, too."""


class Dispatcher(DomainDispatcherApplication):
    """Serves all of moto's services.

    Moto's own lists its folder and looks at each of its 180 entries for every request, while all other requests wait.
    """

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._service_of = functools.lru_cache(_HOSTS)(super().get_backend_for_host)

    def get_backend_for_host(self, host: str | None) -> Any:
        """The name of the service that answers for a host, or None where the host tells nothing."""
        return self._service_of(host)
