"""The HTTP session of an exporter, fit for a guest in somebody else's process.

It never takes a proxy to this machine, never shares a connection with a parent process, and never carries
headers that were meant for another host.
"""

import ipaddress
import os
import weakref
from collections.abc import Collection
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.poolmanager import PoolKey

from livemeter.emit.link import SignalLink

_GENERAL_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_GENERAL_HEADERS = (
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
)


class _Adapter(HTTPAdapter):
    """Connections without a thread beside them.

    urllib3-future, which takes urllib3's place where it is installed, starts one with a pool's first
    connection. That may be in the end of the process, when from Python 3.12 on no thread can be started.
    """

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        if hasattr(PoolKey, "key_background_watch_delay"):
            options["background_watch_delay"] = None
        super().init_poolmanager(*args, **options)


class CollectorSession(requests.Session):
    """The session of one signal. The exporters of OpenTelemetry take it as theirs."""

    def __init__(self, url: str, link: SignalLink, unwanted_headers: Collection[str]) -> None:
        super().__init__()
        self._link = link
        self._unwanted_headers = unwanted_headers
        self._inherited: list[object] = []
        self._connect_anew()
        # Proxies and netrc are for the world outside.
        self.trust_env = not is_loopback(urlsplit(url).hostname or "")
        renew = weakref.WeakMethod(self._renew_connections)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: (call := renew()) and call())

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request and tell the link what came of it."""
        for name in self._unwanted_headers:
            request.headers.pop(name, None)
        try:
            response = super().send(request, **options)
        except requests.RequestException as error:
            self._link.failed(type(error).__name__)
            raise
        if not response.ok:
            self._link.failed(f"HTTP {response.status_code}")
        elif response.is_redirect:
            # The exporters take it for a success, and nothing has arrived anywhere.
            self._link.failed(f"HTTP {response.status_code}: it redirects")
            raise requests.TooManyRedirects("the collector redirects", response=response)
        return response

    def _renew_connections(self) -> None:
        # The old pools are kept, not closed: their locks may be held by threads that exist no more.
        self._inherited += self.adapters.values()
        self._connect_anew()

    def _connect_anew(self) -> None:
        self.mount("https://", _Adapter())
        self.mount("http://", _Adapter())


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def foreign_headers(endpoint: str, own_headers: Collection[str]) -> frozenset[str]:
    """Return the headers that the exporters add by themselves and that this endpoint must not get.

    They read ``OTEL_EXPORTER_OTLP_HEADERS``, which belong to ``OTEL_EXPORTER_OTLP_ENDPOINT``: often the key
    of a vendor that has nothing to do with Livemeter's collector.
    """
    if endpoint.rstrip("/") == os.environ.get(_GENERAL_ENDPOINT, "").strip().rstrip("/"):
        return frozenset()
    entries = (entry for name in _GENERAL_HEADERS for entry in os.environ.get(name, "").split(","))
    names = {unquote(entry.partition("=")[0]).strip().lower() for entry in entries}
    return frozenset(names - {name.lower() for name in own_headers} - {""})
