"""Scripts as data: a name, steps, and the connections they serve; from Python or from a mapping.

Pure. In a mapping a step is a table with one key, the step's name, that holds its fields; a single value
stands for the first field, and the bare name for a step without fields. In TOML::

    [[scripts]]
    name = "weather"
    match = { model = "3.8-live", connection = 1 }
    steps = [
      "setup_complete",
      { expect = "clientContent" },
      { send_audio = { ms = 400, chunk_ms = 40 } },
      { send = { message = { serverContent = { turnComplete = true } } } },
      { close = { code = 1011, reason = "Internal error encountered." } },
    ]
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Self, cast

from livemeter.testing.arrival import Arrival, Platform
from livemeter.testing.checked import Checked
from livemeter.testing.shapes import is_list, is_table
from livemeter.testing.steps import ENDING_STEPS, STEP_NAMES, RefuseHandshake, Repeat, Step


class ScriptFormatError(ValueError):
    """A script file or mapping that cannot be used; the message is one line."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Match(Checked):
    """Which connections a script serves; what is not set does not matter.

    ``model`` is part of the model's name in the setup, ``connection`` the n-th connection of the server
    (from 1), ``resumed`` whether the setup carries a resumption handle.
    """

    model: str = ""
    platform: Platform | None = None
    connection: int | None = None
    resumed: bool | None = None

    def problem(self) -> str:  # noqa: D102 - see Checked
        return "" if self.connection is None or self.connection > 0 else "connections are counted from 1"

    @property
    def needs_setup(self) -> bool:
        """Whether the setup must be read to decide."""
        return bool(self.model) or self.resumed is not None

    def fits_arrival(self, arrival: Arrival) -> bool:
        """Whether the handshake fits."""
        fits_platform = self.platform in {None, arrival.platform}
        return fits_platform and self.connection in {None, arrival.number}

    def fits_setup(self, setup: Mapping[str, Any]) -> bool:
        """Whether the setup (in camelCase) fits."""
        if self.model not in str(setup.get("model", "")):
            return False
        return self.resumed in {None, bool(_resumption_handle(setup))}


@dataclass(frozen=True)
class Script:
    """A named sequence of steps and the connections it serves.

    When its steps are done, the connection stays open until the client leaves or the server stops.
    Raises ``ScriptFormatError`` for steps that could never be played.
    """

    name: str
    steps: tuple[Step, ...]
    match: Match = field(default_factory=Match)

    def __post_init__(self) -> None:
        if strangers := [step for step in cast(tuple[object, ...], self.steps) if not isinstance(step, Step)]:
            raise ScriptFormatError(f"script {self.name!r}: {strangers[0]!r} is no step")
        if problem := _problem(self.steps, self.match):
            raise ScriptFormatError(f"script {self.name!r}{problem}")

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], where: str = "script") -> Self:
        """Make a script from a mapping with ``name``, ``steps`` and perhaps ``match``.

        ``where`` opens the message of a ``ScriptFormatError``, which also names the script and the step.
        """
        table = _table(mapping, where, {"name", "steps", "match"})
        name = table.get("name")
        if not isinstance(name, str) or not name:
            raise ScriptFormatError(f"{where}: it needs a name")
        place = f"{where} {name!r}"
        steps = _steps(table.get("steps"), place)
        match = _match(table.get("match", {}), f"{place}, match")
        if problem := _problem(steps, match):
            raise ScriptFormatError(f"{place}{problem}")
        return cls(name, steps, match)

    @property
    def refusal(self) -> RefuseHandshake | None:
        """The HTTP error with which this script answers the handshake, if it does."""
        first = self.steps[0]
        return first if isinstance(first, RefuseHandshake) else None


def _problem(steps: tuple[Step, ...], match: Match) -> str:
    if not steps:
        return ": it needs steps"
    numbered = enumerate(steps, start=1)
    found = ((number, step, _step_problem(number, step, len(steps), match)) for number, step in numbered)
    return next((f", step {number} {step!r}: {problem}" for number, step, problem in found if problem), "")


def _step_problem(number: int, step: Step, count: int, match: Match) -> str:
    if isinstance(step, RefuseHandshake):
        if count > 1:
            return "it must be the only step"
        return "model and resumed are known only after the handshake" if match.needs_setup else ""
    if isinstance(step, ENDING_STEPS) and number < count:
        return "it must be the last step"
    endless = isinstance(step, Repeat) and step.times is None and number < count
    return "it never ends, so it must be the last step" if endless else ""


def _resumption_handle(setup: Mapping[str, Any]) -> str:
    resumption: object = setup.get("sessionResumption")
    return str(resumption.get("handle") or "") if is_table(resumption) else ""


def _match(mapping: object, place: str) -> Match:
    table = _table(mapping, place, {f.name for f in fields(Match)})
    try:
        return Match(**table)
    except ValueError as error:
        raise ScriptFormatError(f"{place}: {error}") from error


def _steps(entries: object, place: str, outer: str = "") -> tuple[Step, ...]:
    if not is_list(entries) or not entries:
        raise ScriptFormatError(f"{place}{outer and ', step ' + outer}: it needs a list of steps")
    numbered = enumerate(entries, start=1)
    return tuple(_step(entry, place, f"{outer}{outer and '.'}{number}") for number, entry in numbered)


def _step(entry: object, place: str, number: str) -> Step:
    here = f"{place}, step {number}"
    name, value = _named(entry, here)
    step_type = STEP_NAMES.get(name)
    if step_type is None:
        raise ScriptFormatError(f"{here}: unknown step {name!r}; steps are {', '.join(STEP_NAMES)}")
    here = f"{here} {name}"
    table = _table(_with_first_field(step_type, value), here, {f.name for f in fields(step_type)})
    if step_type is Repeat:
        table["steps"] = list(_steps(table.get("steps"), place, number))
    values: dict[str, Any] = {key: tuple(item) if is_list(item) else item for key, item in table.items()}
    if missing := [f.name for f in fields(step_type) if f.name not in values and _required(f)]:
        raise ScriptFormatError(f"{here}: {missing[0]} is missing")
    try:
        return step_type(**values)
    except ValueError as error:
        raise ScriptFormatError(f"{here}: {error}") from error


def _named(entry: object, here: str) -> tuple[str, Any]:
    if isinstance(entry, str):
        return entry, {}
    if not is_table(entry) or len(entry) != 1:
        raise ScriptFormatError(f"{here}: a step is a name, or a table with the name as its one key")
    return next(iter(entry.items()))


def _with_first_field(step_type: type[Step], value: object) -> object:
    step_fields = fields(step_type)
    if is_table(value) or not step_fields:
        return value
    return {step_fields[0].name: value}


def _table(value: object, place: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ScriptFormatError(f"{place}: a table is needed, not {value!r}")
    table = dict(cast(Mapping[str, Any], value))
    if unknown := [key for key in table if key not in known]:
        raise ScriptFormatError(
            f"{place}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known)) or 'none'}"
        )
    return table


def _required(f: Field[Any]) -> bool:
    return f.default is MISSING and f.default_factory is MISSING
