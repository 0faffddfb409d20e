"""Whether the distributions are there, in versions that work together, and whether the hook takes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from livemeter.doctor.facts import Check, Hook, Installed, Status

GROUP = "installed"

OLDEST_HOOKED = (1, 16)
PROMISED = (1, 30)
UNTRIED = (4,)

_INSTALL = "pip install 'livemeter[instruments]' with the application's Python"
_WEBSOCKETS = ((15,), (18,))
# From here on `async with connect()` that is left by an exception closes with 1011.
_CLOSES_WITH_1011 = (17, 2)


@dataclass(frozen=True, slots=True)
class _Floor:
    """The oldest version of a distribution that works, and what its line is called."""

    name: str
    distribution: str
    oldest: tuple[int, ...]


_FLOORS = (
    _Floor("opentelemetry-api", "opentelemetry-api", (1, 42)),
    _Floor("opentelemetry-sdk", "opentelemetry-sdk", (1, 42)),
    _Floor("otlp-exporter", "opentelemetry-exporter-otlp-proto-http", (1, 42)),
    _Floor("requests", "requests", (2, 25)),
)


def check_installed(installed: Installed, hook: Hook) -> Iterator[Check]:
    """Yield a line for this Python, for each distribution that matters and for the hook."""
    yield _check("python", Status.OK, f"Python {installed.python}, {installed.executable}")
    yield _check("livemeter", Status.OK, installed.livemeter)
    yield _google_genai(installed.versions.get("google-genai"))
    yield _websockets(installed.versions.get("websockets"))
    for floor in _FLOORS:
        yield _floor(floor, installed.versions.get(floor.distribution))
    yield _hook(hook, is_there=has_google_genai(installed))


def has_google_genai(installed: Installed) -> bool:
    """Say whether google-genai is installed in this Python, in whatever version."""
    return installed.versions.get("google-genai") is not None


def lacks_opentelemetry(installed: Installed) -> bool:
    """Say whether anything that every export needs is missing or too old."""
    return any(
        _floor(floor, installed.versions.get(floor.distribution)).status is Status.FAIL for floor in _FLOORS
    )


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: ``3.4.0rc1`` is (3, 4, 0)."""
    found = re.match(r"\d{1,9}(?:\.\d{1,9})*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _google_genai(version: str | None) -> Check:
    name = "google-genai"
    if version is None:
        return _check(name, Status.FAIL, "not installed in this Python", _INSTALL)
    if numbers(version) < OLDEST_HOOKED:
        to_do = "upgrade google-genai to 1.30 or newer"
        return _check(name, Status.FAIL, f"{version} is too old to be observed", to_do)
    if numbers(version) < PROMISED:
        to_do = "upgrade google-genai to 1.30 or newer"
        return _check(
            name, Status.WARN, f"{version} is older than Livemeter is tested with (1.30 to 3.x)", to_do
        )
    if numbers(version) >= UNTRIED:
        to_do = "if nothing is observed, upgrade livemeter, or use google-genai 3"
        return _check(
            name, Status.WARN, f"{version} is newer than Livemeter is tested with (1.30 to 3.x)", to_do
        )
    return _check(name, Status.OK, version)


def _websockets(version: str | None) -> Check:
    name = "websockets"
    if version is None:
        return _check(name, Status.NOT_APPLICABLE, "not installed; google-genai brings it along")
    oldest, untried = _WEBSOCKETS
    if not oldest <= numbers(version) < untried:
        to_do = "use websockets 15 to 17"
        return _check(
            name, Status.WARN, f"{version} is not among those Livemeter is tested with (15 to 17)", to_do
        )
    if numbers(version) >= _CLOSES_WITH_1011:
        return _check(
            name,
            Status.OK,
            f"{version}; from 17.2 on it closes with 1011 where a task is cancelled, which is no error",
        )
    return _check(name, Status.OK, version)


def _floor(floor: _Floor, version: str | None) -> Check:
    oldest = ".".join(map(str, floor.oldest))
    to_do = f"pip install '{floor.distribution}>={oldest}'"
    if version is None:
        return _check(floor.name, Status.FAIL, "not installed in this Python", to_do)
    if numbers(version) < floor.oldest:
        return _check(floor.name, Status.FAIL, f"{version} is older than {oldest}", to_do)
    return _check(floor.name, Status.OK, version)


def _hook(hook: Hook, *, is_there: bool) -> Check:
    if hook.was_on:
        return _check("hook", Status.OK, "already on in every Python of this environment")
    if hook.is_laid and not hook.over.startswith("websockets."):
        to_do = "nothing, unless frames are missing: then try without the other one"
        says = f"takes, over another one: {hook.over} dials instead of websockets"
        return _check("hook", Status.WARN, says, to_do)
    if hook.is_laid:
        return _check("hook", Status.OK, "takes: google.genai.live.ws_connect can be observed")
    if not is_there:
        return _check("hook", Status.NOT_APPLICABLE, "nothing to lay it on")
    if hook.error:
        to_do = "make `import google.genai.live` and `import livemeter.instrumentation` work"
        return _check("hook", Status.FAIL, f"cannot be laid: {hook.error}", to_do)
    to_do = "report this with the versions above"
    return _check("hook", Status.FAIL, "does not take: google.genai.live.ws_connect stayed as it was", to_do)


def _check(name: str, status: Status, says: str, to_do: str = "") -> Check:
    return Check(GROUP, name, status, says, to_do)
