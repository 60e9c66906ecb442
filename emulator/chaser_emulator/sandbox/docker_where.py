"""Where the container engine listens, found as the `docker` command finds it, and the clients that ask it there."""

from __future__ import annotations

import math
import os
import ssl
from dataclasses import dataclass
from typing import Any

import docker
from docker.context import ContextAPI
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from .docker_exec import Endpoint

_DEFAULT = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class Where:
    """The engine's address, in the words of `DOCKER_HOST`, and what proves either side to the other."""

    url: str
    tls: TLSConfig | None

    def endpoint(self, version: str) -> Endpoint:
        return Endpoint(self.url, version, _context(self.tls) if self.tls is not None else None)

    def client(self, patience: float, version: str = "auto") -> docker.APIClient:
        """A client that waits so many seconds for each answer. Asks the engine for its version if none is given."""
        client = docker.APIClient(
            self.url, version=version, timeout=math.ceil(patience), tls=self.tls or False, max_pool_size=16
        )
        if self.url.startswith(("unix:", "http+unix:")):
            # The library keeps a connection for each address it has ever asked, and would hardly ask one again.
            client.headers["Connection"] = "close"
        return client


def find() -> Where:
    """DOCKER_HOST with what goes with it, else the context in use, else the customary socket."""
    told: dict[str, Any] = {**kwargs_from_env()}
    if not os.environ.get("DOCKER_HOST"):
        context = ContextAPI.get_current_context()
        if context is not None and context.Host:
            told = {"base_url": context.Host, "tls": context.TLSConfig}
    tls = told.get("tls")
    return Where(told.get("base_url") or _DEFAULT, tls if isinstance(tls, TLSConfig) else None)


def _context(tls: TLSConfig) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_cert or None)
    if tls.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert:
        context.load_cert_chain(*tls.cert)
    return context
