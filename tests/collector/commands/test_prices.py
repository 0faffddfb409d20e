"""``livemeter prices``: what is listed, how a sum is explained, and prices loaded again."""

import csv
import io
import json
import subprocess
import sys
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest

from livemeter.accounts import read_overrides
from livemeter.cli.main import main
from livemeter.vocabulary import Attribute, Event
from livemeter_collector.prices.load import load_prices
from livemeter_collector.query import price_questions
from livemeter_collector.query.price_questions import Chosen
from livemeter_collector.query.questions import rows_of
from livemeter_collector.show.prices import by_price, explained, notes
from livemeter_collector.store.contract import Signal, Store
from tests.accounting.events import Exported
from tests.accounting.oracle import Frame
from tests.collector.commands.conftest import MatchesGolden, Outcome, Run, serving
from tests.collector.commands.seed import PRICED, TALK, UNPRICED, YESTERDAY
from tests.collector.test_up import FREE_PORTS, Collector, collector, refused

ANSWERS = {
    "prices": "prices",
    "prices_explain": f"prices explain {TALK}",
    "prices_explain_all": f"prices explain {TALK} --all",
    "prices_explain_unpriced_part": "prices explain film",
    "prices_explain_unpriced": "prices explain lesson-7",
    "prices_explain_unseen": "prices explain lesson-70",
}
FORMS = {"txt": "", "json": " --json", "csv": " --csv"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ANSWERS)
def test_output_is_as_committed(run: Run, matches_golden: MatchesGolden, name: str, form: str) -> None:
    outcome = run(ANSWERS[name] + FORMS[form])
    assert (outcome.exit_code, outcome.err) == (0, "")
    matches_golden(f"{name}.{form}", outcome.out)


# What is listed.


def listed(run: Run, words: str = "") -> dict[tuple[str, str, str], str | None]:
    rows = json.loads(run(f"prices --json {words}").out)
    return {(row["model"], row["direction"], row["modality"]): row["usd_per_mtok"] for row in rows}


def test_what_was_used_and_has_no_price_is_listed_as_that(run: Run) -> None:
    prices = listed(run)

    assert prices[PRICED, "input", "TEXT"] == "0.75"
    # Used by a film and by a lesson; a price of zero would be another answer.
    assert prices[PRICED, "input", "VIDEO"] is None
    assert prices[UNPRICED, "input", "TEXT"] is None
    assert (UNPRICED, "input", "AUDIO") not in prices


def test_prices_are_chosen_by_model_platform_and_tier(run: Run) -> None:
    assert {model for model, *_ in listed(run, f"--model {UNPRICED}")} == {UNPRICED}
    assert listed(run, f"--model models/{UNPRICED}") == listed(run, f"--model {UNPRICED}")
    assert listed(run, "--platform vertex_ai") == {}
    assert listed(run, "--tier provisioned") == {}
    nothing = run("prices --tier provisioned")
    assert (nothing.exit_code, nothing.out) == (0, "")
    assert nothing.err == "livemeter: no such price: livemeter prices lists all of them\n"


@pytest.mark.parametrize("words", ["--platform nowhere", "--tier first", "--at soon", "explain"])
def test_what_is_no_choice_is_refused_with_the_choices(run: Run, words: str) -> None:
    outcome = run(f"prices {words}")
    assert outcome.exit_code == 2
    assert "usage: livemeter prices" in outcome.err


def test_before_a_price_held_there_is_none(run: Run) -> None:
    before = listed(run, "--at 2019-12-31")

    assert before[PRICED, "input", "TEXT"] is None


def test_at_another_time_another_price_is_in_force(store: Store) -> None:
    robot = Chosen(0, "gemini-robotics-er-2-streaming-preview", "gemini_api", "standard")

    def text_in(at_s: int) -> list[tuple[object, object]]:
        rows = rows_of(price_questions.prices(store, Chosen(at_s, robot.model, robot.platform, robot.tier)))
        return [
            (row["usd_per_mtok"], row["source"])
            for row in rows
            if (row["direction"], row["modality"]) == ("input", "TEXT")
        ]

    new_year_s = 1_798_761_600
    ((before, source),) = text_in(new_year_s - 1)
    assert before == 1
    assert str(source).startswith("genai-prices ")
    assert text_in(new_year_s) == [(Decimal(2), source)]


# How a sum comes about.


def test_the_prices_of_a_session_come_to_the_figures_worked_out_by_hand(run: Run) -> None:
    answer = json.loads(run(f"prices explain {TALK} --json").out)

    by_hand = {
        # 165 + 300 + 350 tokens at 3 USD a million; 332 + 400 + 450 at 0.75; 42 + 100 + 60 at 12.
        ("prompt", "AUDIO"): (815, "0.002445", "0.002445"),
        ("prompt", "TEXT"): (1182, "0.0008865", "0.0008865"),
        # As text; as audio it would be 25 x 3.
        ("prompt", "UNATTRIBUTED"): (25, "0.00001875", "0.000075"),
        ("response", "AUDIO"): (202, "0.002424", "0.002424"),
        ("thoughts", "TEXT"): (136, "0.000612", "0.000612"),
        # Nine and eight bytes of transcript: 3 + 2 tokens at 4.50.
        ("transcription", "TEXT"): (5, "0.0000225", "0.0000225"),
        ("grounding", ""): (2, "0.028", "0.028"),
    }
    shown = {
        (row["kind"], row["modality"]): (row["quantity"], row["usd"], row["usd_high"])
        for row in answer["prices"]
    }
    assert shown == by_hand
    assert answer["cost_usd"] == "0.03440875"
    assert answer["cost_high_usd"] == "0.034465"
    assert sum(Decimal(usd) for _, usd, _ in by_hand.values()) == Decimal("0.03440875")


@pytest.mark.parametrize("session", [TALK, "film", "lesson-7", "lesson-70", "shared"])
def test_a_sum_is_that_of_live_sessions_and_of_its_terms(run: Run, session: str) -> None:
    sql = f"SELECT cost_usd, cost_low_usd, cost_high_usd, unpriced_quantity FROM live_sessions WHERE session_id = '{session}'"  # noqa: E501
    (expected,) = json.loads(run(f'sql --json "{sql}"').out)

    for words, part in (("", "prices"), ("--all", "terms")):
        answer = json.loads(run(f"prices explain {session} {words} --json").out)
        assert {name: answer[name] for name in expected} == expected
        known = [row for row in answer[part] if row["usd"] is not None]
        for column, whole in (
            ("usd", "cost_usd"),
            ("usd_low", "cost_low_usd"),
            ("usd_high", "cost_high_usd"),
        ):
            assert sum(Decimal(row[column]) for row in known) == Decimal(answer[whole] or 0)
        for row in known:
            assert Decimal(row["usd"]) == row["quantity"] * Decimal(row["price_usd_per_mtok"]) / 1_000_000


def test_every_term_says_which_pass_it_is_of_and_which_price_it_has(run: Run) -> None:
    answer = json.loads(run(f"prices explain {TALK} --all --json").out)
    first = [row for row in answer["terms"] if (row["turn"], row["kind"]) == (1, "prompt")]

    day = f"{YESTERDAY:%Y-%m-%d}"
    assert {(row["at"], row["connection_id"], row["pass"]) for row in first} == {
        (f"{day}T10:00:10Z", TALK, 1)
    }
    unattributed = next(row for row in first if row["modality"] == "UNATTRIBUTED")
    assert (unattributed["priced_as"], unattributed["low_as"], unattributed["high_as"]) == (
        "TEXT",
        "TEXT",
        "AUDIO",
    )
    assert {(row["price_source"], row["valid_from"]) for row in answer["terms"]} == {
        ("a test", "2020-01-01T00:00:00Z")
    }


def test_what_is_estimated_unattributed_or_unpriced_is_said_to_be(run: Run) -> None:
    talk, film = (json.loads(run(f"prices explain {each} --json").out)["notes"] for each in (TALK, "film"))

    assert [note.partition(":")[0] for note in talk] == ["UNATTRIBUTED", "estimated"]
    assert "25 tokens of input (prompt)" in talk[0]
    assert film == [
        "unpriced: 2,000 tokens of VIDEO input have no price at that time, and are no part of the sum:"
        f" {PRICED} on gemini_api, tier standard"
    ]


def test_a_frame_without_details_and_a_turn_that_searched_are_explained(store: Store) -> None:
    """Published prices of gemini-3.8-live: text 0.75 and audio 3 in, 0.014 a query, USD."""
    request = Exported()
    request.usage("searched", "gemini-3.8-live", [Frame(1000, context_audio_ms=20_000)])
    turn: dict[str, object] = {Attribute.TURN: 1, Attribute.GROUNDING_QUERIES: 2}
    request.event(Event.TURN, 2, "searched", "gemini-3.8-live", turn)
    request.event(Event.CONNECTION_CLOSED, 3, "searched", "gemini-3.8-live", {Attribute.CLOSE_CODE: 1000})
    store.insert_otlp(Signal.LOGS, request.to_bytes(), "searched")

    terms = rows_of(price_questions.terms(store, "searched"))

    # 20 s of audio are 500 tokens, the rest is of no known modality; the queries may have been free.
    assert {
        (row["kind"], row["modality"]): (row["usd_low"], row["usd"], row["usd_high"]) for row in terms
    } == {
        ("prompt", "AUDIO"): (Decimal("0.0015"),) * 3,
        ("prompt", "UNATTRIBUTED"): (Decimal("0.000375"), Decimal("0.000375"), Decimal("0.0015")),
        ("grounding", ""): (Decimal(0), Decimal("0.028"), Decimal("0.028")),
    }
    assert [note.partition(":")[0] for note in notes(terms)] == ["derived", "UNATTRIBUTED", "grounding"]
    (session,) = rows_of(price_questions.session_sum(store, "searched"))
    assert explained(session, terms) == session
    assert [session[f"cost_{name}"] for name in ("low_usd", "usd", "high_usd")] == [
        Decimal("0.001875"),
        Decimal("0.029875"),
        Decimal("0.031"),
    ]


def test_what_came_cached_is_explained_by_its_own_price_where_there_is_one(store: Store) -> None:
    text = '[[price]]\nmodels = ["gemini-3.8-live"]\ncached_input = { TEXT = 0.075 }\nsource = "a contract"'
    request = Exported()
    frame = Frame(1500, {"TEXT": 1000, "AUDIO": 500}, cached=600, cached_details={"TEXT": 400, "AUDIO": 200})
    request.usage("remembered", "gemini-3.8-live", [frame])
    store.insert_otlp(Signal.LOGS, request.to_bytes(), "remembered")
    load_prices(store, read_overrides(text, "own.toml"))
    try:
        terms = rows_of(price_questions.terms(store, "remembered"))
    finally:
        load_prices(store)

    found = {
        (row["kind"], row["modality"]): (row["usd"], row["price_usd_per_mtok"], row["price_source"])
        for row in terms
    }
    _, _, published = found["prompt", "TEXT"]
    assert str(published).startswith("genai-prices ")
    assert found == {
        ("prompt", "TEXT"): (Decimal("0.00045"), Decimal("0.75"), published),
        ("prompt", "AUDIO"): (Decimal("0.0009"), Decimal(3), published),
        ("cached", "TEXT"): (Decimal("0.00003"), Decimal("0.075"), "a contract"),
        ("cached", "AUDIO"): (Decimal("0.0006"), Decimal(3), published),
    }


def test_terms_are_one_price_only_where_everything_about_the_price_is_the_same(store: Store) -> None:
    request = Exported()
    request.usage("twice", "gemini-3.8-live", [Frame(10, {"TEXT": 10}), Frame(20, {"TEXT": 20})])
    store.insert_otlp(Signal.LOGS, request.to_bytes(), "twice")
    first, second = rows_of(price_questions.terms(store, "twice"))

    (one,) = by_price([first, second])
    assert (one["terms"], one["quantity"], one["usd"]) == (2, 30, Decimal("0.0000225"))
    assert len(by_price([first, {**second, "price_source": "another"}])) == 2
    assert len(by_price([first, {**second, "tier": "flex"}])) == 2


def test_a_session_that_is_not_there_is_said_to_be_so(run: Run) -> None:
    outcome = run("prices explain nobody")
    assert (outcome.exit_code, outcome.out) == (1, "")
    assert outcome.err == "livemeter: no session's id begins with 'nobody': livemeter sessions lists them\n"


def test_csv_has_the_rows_and_no_total(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run(f"prices explain {TALK} --csv").out, newline="")))
    assert sum(Decimal(row["usd"]) for row in rows) == Decimal("0.03440875")


# Loading prices again.


def own(usd: str) -> str:
    return f'[[price]]\nmodels = ["gemini-3.8-live"]\ninput = {{ TEXT = {usd} }}\n'


def command(*words: str) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-m", "livemeter.cli", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def send_usage(running: Collector) -> None:
    request = Exported()
    request.usage("spent", "gemini-3.8-live", [Frame(1_000_000, {"TEXT": 1_000_000})])
    urllib.request.urlopen(  # noqa: S310 - our own
        urllib.request.Request(  # noqa: S310
            f"{running.http}/v1/logs", request.to_bytes(), {"Content-Type": "application/x-protobuf"}
        ),
        timeout=10,
    ).close()


SPENT = "SELECT toString(usd) FROM livemeter.live_session_costs WHERE session_id = 'spent'"


def test_a_file_of_prices_is_used_read_again_and_when_wrong_refused_without_an_end_to_the_collector(
    tmp_path: Path,
) -> None:
    file, data = tmp_path / "own.toml", tmp_path / "data"
    file.write_text(own("0.5"), "utf-8")
    refresh = ("prices", "refresh", "--data", str(data))
    with collector(data, "--prices", str(file)) as running:
        send_usage(running)
        running.wait_for(SPENT, [["0.5"]])

        file.write_text(own("0.25"), "utf-8")
        done = command(*refresh, "--json")
        assert (done.exit_code, done.err) == (0, "")
        answer = json.loads(done.out)
        assert running.rows(SPENT) == [["0.25"]]
        assert (answer["file"], answer["added"], answer["removed"]) == (str(file), [], [])
        assert {
            (row["platform"], row["before"]["usd_per_mtok"], row["usd_per_mtok"], row["source"])
            for row in answer["changed"]
        } == {(platform, "0.5", "0.25", str(file)) for platform in ("gemini_api", "vertex_ai")}

        file.write_text(own("-1"), "utf-8")
        done = command(*refresh)
        assert (done.exit_code, done.out) == (1, "")
        assert done.err == (
            f"livemeter: {file}: price 1 (gemini-3.8-live): input.TEXT must be from 0 to 1000000 USD\n"
        )
        assert running.rows(SPENT) == [["0.25"]]
        assert running.process.poll() is None

        done = command(*refresh, "--prices", str(file))
        assert done.err == (
            "livemeter: a collector is running: name its file where it starts, livemeter up --prices\n"
        )


def test_a_wrong_file_at_the_start_is_a_refusal_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(own("0.5, AUDIO"), "utf-8")
    start = ("--data", str(tmp_path / "data"), *FREE_PORTS)

    assert refused("--prices", str(file), *start).startswith(f"livemeter: {file}: not valid TOML: ")
    monkeypatch.setenv("LIVEMETER_PRICES", str(tmp_path / "missing.toml"))
    assert refused("--no-supervisor", *start) == (
        f"livemeter: {tmp_path / 'missing.toml'}: No such file or directory: name a file that can be read"
        " with --prices or LIVEMETER_PRICES, or none"
    )
    assert not (tmp_path / "data").exists()


def test_prices_are_loaded_at_rest_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path / "data", "seeded") as data:
        file = tmp_path / "own.toml"
    file.write_text(own("0.5"), "utf-8")
    monkeypatch.setenv("LIVEMETER_PRICES", str(file))

    done = command("prices", "refresh", "--data", str(data))
    assert done.exit_code == 0
    assert f"those of {file} win over the published ones" in done.err
    # The prices that the tests had put there.
    assert " 5 removed;" in done.err
    monkeypatch.delenv("LIVEMETER_PRICES")
    again = command("prices", "refresh", "--data", str(data))
    assert " 0 added, 2 changed, 0 removed; published prices alone\n" in again.err
    lines = [line.split() for line in again.out.splitlines()]
    assert [(line[0], line[1], line[6], line[7]) for line in lines[1:]] == [
        ("changed", "gemini-3.8-live", "0.5", "0.75")
    ] * 2


def test_where_there_is_no_data_nothing_is_made(tmp_path: Path) -> None:
    done = command("prices", "refresh", "--data", str(tmp_path / "none"))
    assert done.exit_code == 1
    assert done.err.startswith(
        f"livemeter: no livemeter data in {tmp_path / 'none'}: run `livemeter up` first"
    )
    assert not (tmp_path / "none").exists()


def test_what_was_given_before_an_action_stays(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "--data", str(data), "--json", "explain", "film"]) == 0
    assert json.loads(capfd.readouterr().out)["session_id"] == "film"
