"""The environment, understood: every variable that bears on the export, and what is wrong with it. Pure.

A value is shown only where it is harmless: of a setting that shows itself (``repr``), or of an OpenTelemetry
variable that holds a word or a number. Of URLs the scheme, host and port are shown, of headers nothing.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any
from urllib.parse import unquote, urlsplit

from livemeter.doctor.facts import Misspelt, Variable, Variables
from livemeter.settings import Settings, SettingsError

GENERAL_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
OWN_ENDPOINT = "LIVEMETER_ENDPOINT"
STRICT = "LIVEMETER_STRICT"
SDK_DISABLED = "OTEL_SDK_DISABLED"

FEWEST_ATTRIBUTES = 64
"""Events of Livemeter have fewer attributes than this."""
SHORTEST_VALUE = 64
"""Ids are 32 characters long; a model's name or a label may need twice that."""

NOT_SHOWN = "set, not shown"

_PREFIX = "LIVEMETER_"
# Of 1. A name that lacks our prefix has to look very much like one of ours.
_ALIKE = 0.6
_SAME = 0.9
_LIKE_A_WORD = (
    "_PROTOCOL", "_LIMIT", "_TIMEOUT", "_COMPRESSION", "_EXPORTER", "_SAMPLER", "_PROPAGATORS", "_DISABLED",
    "_LEVEL", "_INTERVAL", "_DELAY", "_SIZE", "OTEL_SERVICE_NAME",
)  # fmt: skip
_LONGEST_SHOWN = 80
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_SIGNAL_ENDPOINTS = tuple(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT" for signal in ("LOGS", "TRACES", "METRICS"))
_LIMITS = {
    "OTEL_ATTRIBUTE_COUNT_LIMIT": FEWEST_ATTRIBUTES,
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": FEWEST_ATTRIBUTES,
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": SHORTEST_VALUE,
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": SHORTEST_VALUE,
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": 0,
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": 0,
    "OTEL_SPAN_EVENT_COUNT_LIMIT": 0,
    "OTEL_SPAN_LINK_COUNT_LIMIT": 0,
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": 0,
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": 0,
}
"""The least value of each with which the accounts are whole; those of spans touch none."""


def read_variables(env: Mapping[str, str]) -> Variables:
    """Understand an environment; the empty variables in it count as unset."""
    env = {name: value for name, value in env.items() if value.strip()}
    settings, error = _settings(env)
    return Variables(
        variables=tuple(sorted(_all(env), key=lambda variable: variable.name)),
        misspelt=tuple(_misspelt(env)),
        settings=settings,
        error=error,
        endpoint=_address(settings.endpoint) if settings is not None else "",
        endpoint_from=_endpoint_from(env),
        sdk_disabled=env.get(SDK_DISABLED, "").strip().lower() == "true",
        service=_service(env),
        proxies=tuple(name for name in (*_PROXIES, *map(str.lower, _PROXIES)) if name in env),
    )


def shown_url(url: str) -> str:
    """Return what of a URL may be shown: scheme, host and port."""
    return _address(url) or "set, but no http(s) URL"


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host_and_port = parts.netloc.rpartition("@")[2]
    is_one = parts.scheme in {"http", "https"} and host_and_port.isprintable()
    return f"{parts.scheme}://{host_and_port}" if is_one and host_and_port else ""


def _settings(env: Mapping[str, str]) -> tuple[Settings | None, str]:
    try:
        settings = Settings.from_environment(env)
        settings.otlp_url("logs")
    except SettingsError as error:
        return None, str(error)
    return settings, ""


def _endpoint_from(env: Mapping[str, str]) -> str:
    return next((name for name in (OWN_ENDPOINT, GENERAL_ENDPOINT) if name in env), "")


def _all(env: Mapping[str, str]) -> Iterator[Variable]:
    yield from _of_settings(env)
    yield from _of_opentelemetry(env)
    if env.get(STRICT, "").strip() == "1":
        yield Variable(
            STRICT, "1", "errors of telemetry are raised in the application", to_do=f"unset {STRICT}"
        )


def _of_settings(env: Mapping[str, str]) -> Iterator[Variable]:
    for setting in fields(Settings):
        names = [name for name in setting.metadata["environment"] if name in env]
        for name in names:
            if name == names[0]:
                yield _of_setting(name, env[name], setting)
            else:
                yield Variable(name, f"set; {names[0]} wins")


def _of_setting(name: str, text: str, setting: Any) -> Variable:
    try:
        value = getattr(Settings.from_environment({name: text}), setting.name)
    except SettingsError as error:
        return Variable(name, "", str(error), is_fatal=True, to_do=f"correct {name} or unset it")
    if setting.name == "endpoint":
        return _of_endpoint(name, value)
    if setting.name == "enabled" and not value:
        return _switched_off(name, "false", "observation is switched off")
    return Variable(name, _shown(value) if setting.repr else NOT_SHOWN)


def _switched_off(name: str, shown: str, complaint: str) -> Variable:
    return Variable(name, shown, complaint, is_fatal=True, is_switch=True, to_do=f"unset {name} to observe")


def _of_endpoint(name: str, url: str) -> Variable:
    try:
        Settings(endpoint=url).otlp_url("logs")
    except SettingsError as error:
        return Variable(name, shown_url(url), str(error), is_fatal=True, to_do=f"correct {name}")
    return Variable(name, shown_url(url))


def _shown(value: object) -> str:
    """Show a setting's value if it is a plain word or number; anything like a URL may hold a credential."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, int | float | str):
        return "set"
    text = str(value)
    is_plain = text.isprintable() and len(text) <= _LONGEST_SHOWN and "://" not in text and "@" not in text
    return text if is_plain else NOT_SHOWN


def _of_opentelemetry(env: Mapping[str, str]) -> Iterator[Variable]:
    known = _variables_of_settings()
    for name in env:
        if name.startswith("OTEL_") and name not in known:
            rule = next((rule for names, rule in _RULES if name in names), _plainly)
            yield rule(name, env[name].strip(), env)


def _plainly(name: str, text: str, _: Mapping[str, str]) -> Variable:
    return Variable(name, _shown(text) if name.endswith(_LIKE_A_WORD) else NOT_SHOWN)


def _signal_endpoint(name: str, text: str, env: Mapping[str, str]) -> Variable:
    if winner := _endpoint_from(env):
        return Variable(name, f"{shown_url(text)}; {winner} wins")
    to_do = f"set {OWN_ENDPOINT} to the base URL, without /v1/..."
    return Variable(name, shown_url(text), "Livemeter does not read it", to_do=to_do)


def _protocol(name: str, text: str, env: Mapping[str, str]) -> Variable:
    shown = _shown(text)
    if text.lower() != "grpc" or _endpoint_from(env) != GENERAL_ENDPOINT:
        return Variable(name, shown)
    return Variable(
        name,
        shown,
        "Livemeter sends OTLP over HTTP all the same",
        to_do=f"set {OWN_ENDPOINT} to the collector's address for HTTP, usually its port 4318",
    )


def _disabled(name: str, text: str, _: Mapping[str, str]) -> Variable:
    if text.lower() != "true":
        return Variable(name, _shown(text))
    return _switched_off(name, "true", "OpenTelemetry exports nothing")


def _limit(name: str, text: str, _: Mapping[str, str]) -> Variable:
    least = _LIMITS[name]
    if not (text.isascii() and text.isdigit()):
        complaint = "no number, with which OpenTelemetry cannot start"
        return Variable(name, NOT_SHOWN, complaint, is_fatal=True, to_do=f"correct {name} or unset it")
    if int(text) >= least:
        return Variable(name, text)
    to_do = f"unset {name}, or set it to {least} or more"
    return Variable(name, text, "events lose attributes that the accounts need", to_do=to_do)


def _headers(name: str, _: str, env: Mapping[str, str]) -> Variable:
    general = env.get(GENERAL_ENDPOINT, "").strip().rstrip("/")
    goes_along = general == env.get(OWN_ENDPOINT, general).strip().rstrip("/") != ""
    return Variable(name, NOT_SHOWN if goes_along else f"{NOT_SHOWN}; not sent to Livemeter's collector")


_Rule = Callable[[str, str, Mapping[str, str]], Variable]
"""From a variable's name, its text and the whole environment to what is said of it."""

_RULES: tuple[tuple[Sequence[str], _Rule], ...] = (
    (_SIGNAL_ENDPOINTS, _signal_endpoint),
    (("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"), _protocol),
    ((SDK_DISABLED,), _disabled),
    (tuple(_LIMITS), _limit),
    (("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_LOGS_HEADERS"), _headers),
)


def _variables_of_settings() -> set[str]:
    return {name for setting in fields(Settings) for name in setting.metadata["environment"]}


def _misspelt(env: Iterable[str]) -> Iterator[Misspelt]:
    known = {name for name in _variables_of_settings() if name.startswith(_PREFIX)} | {STRICT}
    for name in sorted(set(env) - known):
        has_prefix = name.upper().startswith(_PREFIX)
        closest = _closest_setting(name, known) if has_prefix else _closest(name.upper(), known, _SAME)
        if has_prefix or closest:
            yield Misspelt(name, closest)


def _closest_setting(name: str, known: Iterable[str]) -> str:
    """Compare behind the prefix, which would make everything alike."""
    closest = _closest(
        name.upper().removeprefix(_PREFIX), [one.removeprefix(_PREFIX) for one in known], _ALIKE
    )
    return _PREFIX + closest if closest else ""


def _closest(name: str, known: Iterable[str], alike: float) -> str:
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=alike)), "")


def _service(env: Mapping[str, str]) -> str:
    pairs = (entry.partition("=") for entry in env.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","))
    attributes = {name.strip(): unquote(value.strip()) for name, _, value in pairs}
    return env.get("OTEL_SERVICE_NAME", "").strip() or attributes.get("service.name", "")
