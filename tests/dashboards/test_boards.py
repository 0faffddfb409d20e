"""What every board must have, read from the committed JSON: the reader of a board sees no other file."""

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.models import units

from tests.dashboards.boards import FILES, QUERIES, BoardQuery, Json, panel_queries, read

MOST_QUERIES = 25
PLUGIN = "grafana-clickhouse-datasource"
DATASOURCE = {"type": PLUGIN, "uid": "${datasource}"}
KNOWN_UNITS = {value for name, value in vars(units).items() if name[0].isupper() and isinstance(value, str)}

EVERY_BOARD = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
EVERY_QUERY = pytest.mark.parametrize("query", QUERIES, ids=str)


def all_values(json: Any, key: str) -> Iterator[Any]:
    """Every value under a key, at any depth."""
    if isinstance(json, dict):
        for name, value in json.items():
            if name == key:
                yield value
            yield from all_values(value, key)
    elif isinstance(json, list):
        for each in json:
            yield from all_values(each, key)


def is_over(one: Json, other: Json) -> bool:
    return bool(
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def test_there_is_a_board() -> None:
    assert "cost" in [file.stem for file in FILES]


@EVERY_BOARD
def test_a_board_has_a_name_and_cannot_be_edited_by_hand(file: Path) -> None:
    board = read(file)
    assert board["uid"] == f"livemeter-{file.stem}"
    assert board["title"]
    assert board["description"]
    assert board["editable"] is False


@EVERY_BOARD
def test_panels_have_ids_of_their_own_titles_and_descriptions(file: Path) -> None:
    panels = read(file)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["description"].endswith(".") for panel in panels)


@EVERY_BOARD
def test_panels_have_units_that_grafana_knows(file: Path) -> None:
    for panel in read(file)["panels"]:
        assert panel["fieldConfig"]["defaults"]["unit"] in KNOWN_UNITS, panel["title"]
        for override in panel["fieldConfig"]["overrides"]:
            (unit,) = override["properties"]
            assert unit["id"] == "unit"
            assert unit["value"] in KNOWN_UNITS


@EVERY_BOARD
def test_panels_lie_side_by_side(file: Path) -> None:
    places = [panel["gridPos"] for panel in read(file)["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert not any(is_over(*pair) for pair in combinations(places, 2))


@EVERY_BOARD
def test_a_board_asks_a_bounded_number_of_questions(file: Path) -> None:
    assert all(panel["targets"] for panel in read(file)["panels"])
    assert len(panel_queries(file)) <= MOST_QUERIES


@EVERY_BOARD
def test_the_reader_picks_the_data_source(file: Path) -> None:
    board = read(file)
    (variable,) = (each for each in board["templating"]["list"] if each["type"] == "datasource")
    assert (variable["name"], variable["label"], variable["query"]) == ("datasource", "Data source", PLUGIN)
    used = list(all_values(board, "datasource"))
    assert len(used) > len(board["panels"])
    assert all(each == DATASOURCE for each in used)
    assert all(panel["datasource"] == DATASOURCE for panel in board["panels"])


@EVERY_BOARD
def test_variables_are_read_again_when_the_time_range_changes(file: Path) -> None:
    variables = [each for each in read(file)["templating"]["list"] if each["type"] == "query"]
    assert [each["name"] for each in variables] == ["app", "model"]
    assert all(each["refresh"] == 2 and each["includeAll"] and each["multi"] for each in variables)


@EVERY_QUERY
def test_queries_read_views_but_never_frames(query: BoardQuery) -> None:
    """A frame is a row each: a board over a day of them would not come back."""
    tables = re.findall(r"\b(?:FROM|JOIN)\s+(\S+)", query.sql)
    assert tables
    assert all(table.startswith("livemeter.live_") for table in tables)
    assert "frames" not in query.sql


@EVERY_QUERY
def test_queries_are_bounded_in_time(query: BoardQuery) -> None:
    assert "$__timeFilter_ms(" in query.sql or {"$__fromTime_ms", "$__toTime_ms"} <= set(
        re.findall(r"\$__\w+", query.sql)
    )


@EVERY_QUERY
def test_comments_hold_no_quote(query: BoardQuery) -> None:
    """An odd quote in a comment can unbalance whatever looks for macros."""
    assert not any("'" in comment for comment in re.findall(r"--.*", query.sql))


@EVERY_QUERY
def test_a_table_of_sessions_has_an_end(query: BoardQuery) -> None:
    assert "GROUP BY session_id" not in query.sql or re.search(r"\bLIMIT \d+$", query.sql)
