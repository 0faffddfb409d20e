import json
import re

import pytest

from tests.collector.commands.conftest import Run
from tests.collector.commands.seed import TALK

ONE_OF_EACH = (
    "SELECT toDecimal128('0.000000750000000000', 18) AS usd,"
    " toDateTime64('2026-01-05 10:00:00.5', 3, 'UTC') AS at, NULL AS nothing,"
    " toUInt64(18446744073709551615) AS big, [1, 2] AS list, map('a', 'b') AS pairs, nan AS odd, true AS yes"
)


def test_values_of_every_kind_in_every_form(run: Run) -> None:
    assert json.loads(run(f'sql --json "{ONE_OF_EACH}"').out) == [
        {
            "usd": "0.00000075",
            "at": "2026-01-05T10:00:00.5Z",
            "nothing": None,
            "big": 2**64 - 1,
            "list": [1, 2],
            "pairs": {"a": "b"},
            "odd": None,
            "yes": True,
        }
    ]
    assert run(f'sql --csv "{ONE_OF_EACH}"').out == (
        "usd,at,nothing,big,list,pairs,odd,yes\r\n"
        '0.00000075,2026-01-05T10:00:00.5Z,,18446744073709551615,"[1, 2]","{""a"": ""b""}",,true\r\n'
    )
    _, line = run(f'sql "{ONE_OF_EACH}"').out.splitlines()
    cells = ["0.00000075", "2026-01-05T10:00:00.5Z", "-", "18446744073709551615", "1, 2", "a=b", "-", "yes"]
    assert re.split(" {2,}", line) == cells


@pytest.mark.parametrize("end", ["", ";", " ;\n"])
def test_a_semicolon_at_the_end_is_no_matter(run: Run, end: str) -> None:
    assert run(f"sql --csv 'SELECT 1 AS one{end}'").out == "one\r\n1\r\n"
    assert run(f"sql --format TSV 'SELECT 1 AS one{end}'").out == "1\n"


def test_clickhouse_s_own_formats_come_as_they_are(run: Run) -> None:
    statement = "SELECT session_id, turns FROM live_sessions WHERE user_id = 'ana'"
    assert run(f'sql --format JSONEachRow "{statement}"').out == f'{{"session_id":"{TALK}","turns":3}}\n'
    assert run(f'sql --format CSVWithNames "{statement}"').out == f'"session_id","turns"\n"{TALK}",3\n'


@pytest.mark.parametrize(
    ("statement", "said", "to_do"),
    [
        ("SELECT nope FROM live_costs", "nope", 'livemeter sql "DESCRIBE live_sessions" names the columns'),
        ("SELECT 1 FROM nope", "nope", 'livemeter sql "SHOW TABLES" names the tables'),
        ("SELECT nope(1)", "nope", "system.functions"),
        ("SELEC 1", "SELEC", ""),
    ],
)
@pytest.mark.parametrize("form", ["", "--json", "--format TSV"])
def test_a_wrong_statement_is_one_line_and_exit_code_1(
    run: Run, statement: str, said: str, to_do: str, form: str
) -> None:
    outcome = run(f"sql {form} '{statement}'")
    assert (outcome.exit_code, outcome.out) == (1, "")
    assert outcome.err.startswith("livemeter: ")
    assert outcome.err.count("\n") == 1
    assert said in outcome.err
    assert to_do in outcome.err


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE livemeter.usage",
        "INSERT INTO livemeter.model_prices SELECT * FROM livemeter.model_prices",
        "CREATE TABLE livemeter.mine (a UInt8) ENGINE = Memory",
    ],
)
def test_nothing_can_be_changed(run: Run, statement: str) -> None:
    before = run("costs --json").out
    outcome = run(f"sql '{statement}'")
    assert (outcome.exit_code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
    assert run("costs --json").out == before


def test_a_table_of_columns_shows_its_heading_even_without_rows(run: Run) -> None:
    assert run("sql 'SELECT 1 AS one, 2 AS two WHERE 0'").out == "one  two\n"
    assert run("sql --json 'SELECT 1 AS one WHERE 0'").out == "[]\n"


@pytest.mark.parametrize(
    "statement",
    ["-- a remark\n SELECT 1 AS one", "/* a\nremark */ (SELECT 1 AS one)", "with 1 AS one select one"],
)
def test_what_comes_before_the_first_word_is_no_matter(run: Run, statement: str) -> None:
    assert run(f"sql --csv '{statement}'").out == "one\r\n1\r\n"


def test_the_forms_exclude_each_other(run: Run) -> None:
    assert run("sql --json --format TSV 'SELECT 1'").exit_code == 2
