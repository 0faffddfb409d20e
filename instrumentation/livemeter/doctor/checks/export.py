"""Where telemetry goes and whether anybody takes it there."""

from collections.abc import Iterator

from livemeter.doctor.facts import Check, Findings, Outcome, Reach, Status, Variables

GROUP = "export"

_PROTOBUF = "application/x-protobuf"

_CONNECTION: dict[Outcome, tuple[str, str]] = {
    Outcome.UNKNOWN_HOST: (
        "its host has no address",
        "correct the host's name in the endpoint, or the DNS here",
    ),
    Outcome.REFUSED: (
        "nothing listens there",
        "start the collector with livemeter up, or set LIVEMETER_ENDPOINT to where it is",
    ),
    Outcome.UNREACHABLE: (
        "no way leads there",
        "look at the network, the VPN and the firewall between here and there",
    ),
    Outcome.NOT_CONNECTED: (
        "no connection in time",
        "look at the firewall, or give it longer with --timeout",
    ),
    Outcome.NOT_ANSWERED: (
        "no answer in time",
        "look whether the collector hangs, or give it longer with --timeout",
    ),
    Outcome.CLOSED: (
        "the connection is closed instead of an answer",
        "if the collector expects TLS, use https:// in the endpoint",
    ),
    Outcome.UNTRUSTED: (
        "its certificate is not trusted",
        "name the certificate authority's file in OTEL_EXPORTER_OTLP_CERTIFICATE, or correct the host's name",
    ),
    Outcome.NOT_TLS: ("it does not speak TLS", "use http:// in the endpoint"),
    Outcome.TLS_FAILED: (
        "TLS fails",
        "look at the TLS versions and, if it asks for one, at OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    ),
    Outcome.NO_CERTIFICATE_FILE: (
        "a certificate's file cannot be read",
        "correct OTEL_EXPORTER_OTLP_CERTIFICATE or REQUESTS_CA_BUNDLE",
    ),
    Outcome.PROXY: (
        "the proxy cannot be used",
        "correct the proxy variable, or name the collector's host in NO_PROXY",
    ),
    Outcome.FAILED: ("the request cannot be made", "look at the endpoint and the headers"),
}

_NO_TOKEN = "send the collector's token: LIVEMETER_HEADERS=authorization=Bearer%20..."  # noqa: S105 - a hint
_NOT_OTLP = "give the base URL of a collector for OTLP over HTTP, without /v1/logs"
_STATUS: dict[int, tuple[str, str]] = {
    400: ("an empty export is refused as malformed", f"{_NOT_OTLP}, with https:// where it expects TLS"),
    401: ("it wants a token", _NO_TOKEN),
    403: ("it does not let us in", _NO_TOKEN),
    404: ("there is no OTLP at that address", _NOT_OTLP),
    405: ("there is no OTLP at that address", _NOT_OTLP),
    407: (
        "the proxy wants a password",
        "correct the proxy variable, or name the collector's host in NO_PROXY",
    ),
    415: ("it does not take protobuf", "use a collector that takes OTLP over HTTP as protobuf"),
    429: ("it is asked too much", "give the collector more room, or send it less"),
    502: ("whatever is in front of the collector does not reach it", "look whether the collector runs"),
    503: (
        "it takes nothing at the moment",
        "look at the collector's log: it is starting, full or without its store",
    ),
    504: ("whatever is in front of the collector does not reach it", "look whether the collector runs"),
}


def check_export(findings: Findings) -> Iterator[Check]:
    """Yield where telemetry goes, by which proxy, and what became of an empty export."""
    variables, reach = findings.variables, findings.export
    if not variables.endpoint:
        yield _check("endpoint", Status.NOT_APPLICABLE, "unknown, because the settings cannot be used")
        return
    yield _endpoint(variables)
    if reach is None:
        yield _check(
            "collector", Status.NOT_APPLICABLE, "not tried, because OpenTelemetry or requests is missing"
        )
        return
    if variables.proxies:
        says = f"goes by {reach.proxy}" if reach.proxy else "none for this endpoint"
        yield _check("proxy", Status.OK, says)
    yield _collector(reach)


def accepts(reach: Reach | None) -> bool:
    """Say whether the collector took the empty export."""
    return reach is not None and reach.outcome is Outcome.ANSWERED and 200 <= (reach.status or 0) < 300


def is_of_otlp(reach: Reach) -> bool:
    """Say whether the answer has the form of OTLP's, which is that of the request."""
    return reach.media_type == _PROTOBUF


def _endpoint(variables: Variables) -> Check:
    source = variables.endpoint_from or "the default"
    return _check("endpoint", Status.OK, f"{variables.endpoint} (from {source})")


def _collector(reach: Reach) -> Check:
    if reach.outcome is Outcome.ANSWERED:
        return _answer(reach)
    says, to_do = _CONNECTION[reach.outcome]
    return _check("collector", Status.FAIL, f"{says} ({reach.detail})" if reach.detail else says, to_do)


def _answer(reach: Reach) -> Check:
    status = reach.status or 0
    if accepts(reach) and is_of_otlp(reach):
        return _check("collector", Status.OK, f"takes an empty export (HTTP {status})")
    if accepts(reach):
        says = f"answers HTTP {status}, but not as a collector of OTLP does"
        return _check("collector", Status.WARN, says, _NOT_OTLP)
    if 300 <= status < 400:
        to_do = "set the endpoint to the address that it leads to"
        return _check("collector", Status.FAIL, f"it sends us elsewhere (HTTP {status})", to_do)
    says, to_do = _STATUS.get(status, ("it refuses an empty export", _NOT_OTLP))
    return _check("collector", Status.FAIL, f"{says} (HTTP {status})", to_do)


def _check(name: str, status: Status, says: str, to_do: str = "") -> Check:
    return Check(GROUP, name, status, says, to_do)
