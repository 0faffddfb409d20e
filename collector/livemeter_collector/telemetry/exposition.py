"""Prometheus' text format, version 0.0.4. Pure.

Written here and not by a client library: every figure is already in one snapshot, so nothing is left to
count, register or lock, and what remains of the format are three kinds of lines.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: a value, its labels, and what follows the family's name (``_bucket``)."""

    value: float
    labels: Labels = field(default_factory=dict[str, str])
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with its samples; a counter's name ends in ``_total``."""

    name: str
    kind: Kind
    meaning: str
    """One sentence, for the ``# HELP`` line."""
    samples: Sequence[Sample]


def histogram(bounds: Sequence[float], counts: Sequence[int], total: float, labels: Labels) -> list[Sample]:
    """Return a histogram's samples.

    Args:
        bounds: upper bounds, ascending, without infinity.
        counts: one for each bound and one for what is beyond all of them; empty for no observation at all.
        total: sum of all observed values.
        labels: of every sample.
    """
    samples: list[Sample] = []
    seen = 0
    edges = [*(number(bound) for bound in bounds), "+Inf"]
    for edge, count in zip(edges, counts or [0] * len(edges), strict=True):
        seen += count
        samples.append(Sample(seen, {**labels, "le": edge}, "_bucket"))
    return [*samples, Sample(total, labels, "_sum"), Sample(seen, labels, "_count")]


def render(families: Iterable[Family]) -> str:
    """Write the families as text; those without a sample are left out."""
    return "".join(_family(family) for family in families if family.samples)


def number(value: float) -> str:
    """Write a number as Prometheus reads it; whole numbers without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _family(family: Family) -> str:
    head = f"# HELP {family.name} {_escaped(family.meaning)}\n# TYPE {family.name} {family.kind}\n"
    return head + "".join(_line(family.name, sample) for sample in family.samples)


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(f'{key}="{_escaped(value, quotes=True)}"' for key, value in sample.labels.items())
    return f"{name}{sample.suffix}{f'{{{labels}}}' if labels else ''} {number(sample.value)}\n"


def _escaped(text: str, *, quotes: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quotes else escaped
