"""What Grafana and its ClickHouse plugin 4.20 do to a query before ClickHouse sees it.

Written from the plugin's documented behaviour; whatever it does not know fails the test.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

ALL = ("$__all",)
_CONDITIONAL = "$__conditionalAll("
_COMMENT = re.compile(r"--[^\n]*")
_VARIABLE = re.compile(r"\$\{(\w+):singlequote\}")
_MACRO = re.compile(r"\$__(\w+)(?:\(([^()]*)\))?")


@dataclass(frozen=True)
class View:
    """What the reader of a board looks at: a time range in Unix milliseconds, and what is chosen."""

    from_ms: int
    to_ms: int
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    interval_s: int = 3600


def expand(sql: str, view: View) -> str:
    """Return the statement that reaches ClickHouse."""
    sql = _conditions(sql, view.chosen)
    sql = _VARIABLE.sub(lambda match: _quoted(view.chosen[match[1]]), sql)
    sql = _MACRO.sub(lambda match: _macros(view)[match[1]](match[2] or ""), _COMMENT.sub("", sql))
    assert "$" not in sql, sql
    return sql


def _conditions(sql: str, chosen: Mapping[str, tuple[str, ...]]) -> str:
    while (start := sql.rfind(_CONDITIONAL)) >= 0:
        inside = start + len(_CONDITIONAL)
        end = _closing(sql, inside)
        condition, variable = sql[inside:end].rsplit(",", 1)
        is_all = chosen[variable.strip().strip("${}")] in (ALL, ())
        sql = sql[:start] + ("1=1" if is_all else condition) + sql[end + 1 :]
    return sql


def _closing(sql: str, position: int) -> int:
    depth = 1
    while depth:
        depth += {"(": 1, ")": -1}.get(sql[position], 0)
        position += 1
    return position - 1


def _quoted(values: tuple[str, ...]) -> str:
    assert values != ALL, "All would list every option, and IN () where there is none"
    return ",".join("'" + value.replace("'", "\\'") + "'" for value in values)


def _macros(view: View) -> dict[str, Callable[[str], str]]:
    start, end = f"fromUnixTimestamp64Milli({view.from_ms})", f"fromUnixTimestamp64Milli({view.to_ms})"
    return {
        "fromTime_ms": lambda _: start,
        "toTime_ms": lambda _: end,
        "timeFilter_ms": lambda column: f"{column} >= {start} AND {column} <= {end}",
        "timeInterval": lambda column: (
            f"toStartOfInterval(toDateTime({column}), INTERVAL {view.interval_s} second)"
        ),
    }
