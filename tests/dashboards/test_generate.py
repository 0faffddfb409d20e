"""The boards' JSON is what the Python and the SQL make, and the check says where it is not."""

from pathlib import Path

import pytest

from livemeter_dashboards.generate import board_json, differences, main
from livemeter_dashboards.target import DATASOURCE, Query, Shape


def test_the_committed_json_is_up_to_date() -> None:
    assert differences() == []


def test_a_board_is_made_alike_every_time() -> None:
    assert board_json("cost") == board_json("cost")


def test_what_was_written_passes_the_check(tmp_path: Path) -> None:
    folder = tmp_path / "boards"
    assert main(["--folder", str(folder)]) == 0
    assert main(["--check", "--folder", str(folder)]) == 0


def test_the_check_names_the_file_and_the_lines_that_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--folder", str(tmp_path)])
    file = tmp_path / "cost.json"
    file.write_text(file.read_text().replace('"title": "Spend"', '"title": "Money"'))

    assert main(["--check", "--folder", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "cost.json" in said
    assert '-      "title": "Money"' in said
    assert '+      "title": "Spend"' in said
    assert "run make dashboards" in said


def test_the_check_names_files_that_are_missing_or_too_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.json").write_text("{}")
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "cost.json: missing" in said
    assert "old.json: no board makes this file" in said


def test_a_query_is_the_plugins_query_model() -> None:
    assert Query("SELECT 1", Shape.TIME_SERIES, "B").to_json() == {
        "datasource": DATASOURCE.to_json(),
        "editorType": "sql",
        "format": 0,
        "pluginVersion": "4.20.0",
        "queryType": "timeseries",
        "rawSql": "SELECT 1",
        "refId": "B",
    }
