"""An empty export to the collector: valid, stores nothing, and goes the way of an application's events.

OpenTelemetry's own exporter sends it, so that headers, certificates, compression and proxies are those that
an application has. It tries once.
"""

import contextlib
from collections.abc import Collection
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from requests.utils import get_environ_proxies, select_proxy

from livemeter.doctor.facts import Outcome, Reach
from livemeter.doctor.probes.deadline import GRACE_S, within
from livemeter.doctor.probes.outcome import explain
from livemeter.emit.link import CollectorLink, SignalLink, silence
from livemeter.emit.session import CollectorSession, foreign_headers, is_loopback
from livemeter.settings import Settings


class _AnsweredError(Exception):
    """Ends an export after its first attempt; the session knows how that went."""


class _QuietLink(CollectorLink):
    """A link that complains nowhere."""

    def failed(self, signal: str, reason: str) -> None:
        del signal, reason


class _Session(CollectorSession):
    """The session of an exporter, for one request."""

    def __init__(self, url: str, link: SignalLink, unwanted_headers: Collection[str]) -> None:
        super().__init__(url, link, unwanted_headers)
        self.reach: Reach | None = None

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request, remember what came of it, and keep the exporter from trying again."""
        # Some versions follow a redirection, as a GET, and some take it for success.
        options["allow_redirects"] = False
        try:
            self.reach = _answered(super().send(request, **options))
        except requests.TooManyRedirects as error:
            self.reach = _answered(error.response) if error.response is not None else explain(error)
        except (OSError, ValueError) as error:
            self.reach = explain(error)
        raise _AnsweredError


def _answered(response: requests.Response) -> Reach:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Reach(Outcome.ANSWERED, response.status_code, media_type)


def send_nothing(settings: Settings, timeout_s: float) -> Reach:
    """Post an empty ``ExportLogsServiceRequest`` to ``settings.endpoint``.

    Returns:
        How it went, after ``timeout_s`` seconds at the latest (and a half, should a look-up hang).

    Raises:
        SettingsError: the endpoint cannot be used.
    """
    url = settings.otlp_url("logs")
    try:
        reach = within(
            timeout_s + GRACE_S, "export to the collector", lambda: _send(url, settings, timeout_s)
        )
    except TimeoutError:
        reach = Reach(Outcome.NOT_ANSWERED)
    return replace(reach or Reach(Outcome.FAILED), proxy=proxy_of(url))


def proxy_of(url: str) -> str:
    """Return which proxy variable is used for a URL, empty for none. This machine is never asked by proxy."""
    host = urlsplit(url).hostname or ""
    if is_loopback(host):
        return ""
    proxies = get_environ_proxies(url)
    return next((f"{name.upper()}_PROXY" for name in proxies if select_proxy(url, {name: proxies[name]})), "")


def _send(url: str, settings: Settings, timeout_s: float) -> Reach | None:
    link = SignalLink(_QuietLink(""), "logs")
    session = _Session(url, link, foreign_headers(settings.endpoint, settings.headers))
    silence(OTLPLogExporter.__module__)
    with link, contextlib.suppress(_AnsweredError):
        exporter = OTLPLogExporter(
            endpoint=url,
            headers=dict(settings.headers),
            timeout=timeout_s,
            compression=Compression.Gzip,
            session=session,
        )
        exporter.export([])
    session.close()
    return session.reach
