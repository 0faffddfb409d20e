"""What sessions would have cost with a compression: by hand, by plain Python, and as the command shows it."""

import csv
import io
import json
import random
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from google.protobuf.message import Message

from livemeter.vocabulary import Attribute, Event
from livemeter_collector.query.money_questions import Compression, Scope, what_if
from livemeter_collector.query.questions import NO_LIMIT, Row, rows_of
from livemeter_collector.show.what_if import ASSUMPTIONS
from livemeter_collector.store.contract import Store
from tests.collector.commands.conftest import Run
from tests.collector.commands.seed import TALK
from tests.collector.sql.telemetry import Connection, Process, insert, join_sessions, new_id
from tests.cookbook.random_sessions import PRICES, Pass, price_model, random_session, usage_body

A = Attribute


@pytest.fixture
def model(store: Store, unique: str) -> str:
    """A model that no other test has, with prices."""
    name = f"model-{unique}"
    price_model(store, name)
    return name


def simulate(store: Store, model: str, trigger: int, target: int) -> tuple[Row, list[Row]]:
    """Return the row of all sessions of a model, and those of each."""
    table = what_if(store, Compression(trigger, target), Scope(model=model), NO_LIMIT - 1)
    whole, *each = rows_of(table)
    return whole, each


def used(
    connection: Connection, model: str, number: int, prompt: int, response: int, *, at_ms: int | None = None
) -> Message:
    """A pass of text alone, of which nothing is told but totals."""
    return connection.usage(
        prompt, response, number * 1000 if at_ms is None else at_ms, MODEL=model, TURN=number, PASS=number
    )


def test_a_prompt_that_grows_is_cut_to_the_target_and_grows_on(store: Store, model: str) -> None:
    """143, 181 and 224 hundred tokens, 19, 24 and 24 hundred said; over 17,000, 8,000 are kept.

    The second prompt holds 14,300 + 1,900 = 16,200 of before and 1,900 new ones: 8,000 + 1,900 = 9,900
    instead. After it the context has 9,900 + 2,400 = 12,300 tokens instead of 20,500; with 1,900 new ones
    that is 14,200.
    """
    connection = Process().connection()
    insert(
        store,
        connection.started(MODEL=model),
        *(
            used(connection, model, number, prompt, response)
            for number, (prompt, response) in enumerate([(14_300, 1900), (18_100, 2400), (22_400, 2400)], 1)
        ),
        connection.closed(5000, MODEL=model),
    )

    whole, (row,) = simulate(store, model, 17_000, 8000)
    assert (row["prompt_tokens"], row["simulated_prompt_tokens"]) == (54_800, 14_300 + 9900 + 14_200)
    assert row["compressions"] == 1
    # 54,800 text tokens in at 0.75 and 6,700 out at 4.50, said without a modality: as text.
    assert row["actual_usd"] == Decimal("0.0411") + Decimal("0.03015")
    assert row["saved_usd"] == Decimal("0.0123")  # 16,400 x 0.75
    assert row["simulated_usd"] == Decimal("0.05895")
    assert row["saved_share"] == pytest.approx(0.0123 / 0.07125)
    assert (whole["sessions"], whole["saved_usd"], whole["session_id"]) == (1, row["saved_usd"], "")


def test_what_is_cut_costs_what_carried_tokens_cost_on_average_and_not_new_ones(
    store: Store, model: str
) -> None:
    """1,000 text and 3,000 audio carried: 9,750 micro-dollars. 1,000 of 4,000 stay, so 7,312.50 are saved."""
    connection = Process().connection()
    passes = [
        Pass({"TEXT": 1000, "AUDIO": 2500}, {"AUDIO": 500}, {}),
        Pass({"TEXT": 1000, "AUDIO": 3900}, {"AUDIO": 10}, {"TEXT": 1000, "AUDIO": 3000}),
    ]
    insert(store, connection.started(MODEL=model), *told(connection, model, passes))

    _, (row,) = simulate(store, model, 4500, 1000)
    assert row["simulated_prompt_tokens"] == 3500 + 1000 + 900
    assert row["saved_usd"] == Decimal("0.0073125")


def test_a_first_prompt_is_new_however_long_it_is(store: Store, model: str) -> None:
    connection = Process().connection()
    insert(store, connection.started(MODEL=model), used(connection, model, 1, 90_000, 5))

    _, (row,) = simulate(store, model, 100, 50)
    assert (row["compressions"], row["saved_usd"]) == (0, 0)


def test_a_target_of_nothing_keeps_what_is_new(store: Store, model: str) -> None:
    connection = Process().connection()
    pairs = [(1000, 100), (1300, 100)]
    insert(
        store,
        connection.started(MODEL=model),
        *(used(connection, model, number, *pair) for number, pair in enumerate(pairs, 1)),
    )

    _, (row,) = simulate(store, model, 1200, 0)
    assert row["simulated_prompt_tokens"] == 1000 + 200


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in its process", "in another process"])
def test_a_resumed_connection_goes_on_with_what_was_kept(store: Store, model: str, elsewhere: bool) -> None:
    """The context has 500 + 100 + 100 = 700 tokens instead of 2,100, and 200 of 2,300 are new: 900 billed."""
    process, handle = Process(), new_id()
    first = process.connection()
    second = Process().connection() if elsewhere else process.connection(first.session)
    before = {} if elsewhere else {"RESUMED_FROM": first.id}
    insert(
        store,
        first.started(MODEL=model),
        first.given(handle, at_ms=500),
        used(first, model, 1, 1000, 900),
        used(first, model, 2, 2000, 100),
        first.closed(3000, MODEL=model),
        second.started(4000, handle, MODEL=model, **before),
        used(second, model, 1, 2300, 10, at_ms=5000),
    )
    join_sessions(store)

    _, (row,) = simulate(store, model, 1500, 500)
    assert row["simulated_prompt_tokens"] == 1000 + (500 + 100) + (700 + 200)
    assert row["compressions"] == 1


def test_two_contexts_of_one_session_are_cut_each_for_itself(store: Store, model: str) -> None:
    """Two devices with the application's one session id, taking turns."""
    first, second = (Process().connection("shared by two " + model) for _ in range(2))
    pairs = [(1000, 100), (1300, 100), (1700, 100)]
    insert(
        store,
        first.started(MODEL=model),
        second.started(1, MODEL=model),
        *(
            used(connection, model, number, *pair, at_ms=number * 1000 + offset)
            for number, pair in enumerate(pairs, 1)
            for offset, connection in ((0, first), (300, second))
        ),
    )

    # Of each: 1,000, then 200 kept + 200 new, then 400 + 100 + 300 new.
    _, (row,) = simulate(store, model, 1200, 200)
    assert row["simulated_prompt_tokens"] == 2 * (1000 + 400 + 800)
    assert row["compressions"] == 2


def test_a_connection_that_resumes_nothing_has_a_context_of_its_own(store: Store, model: str) -> None:
    """It knows which connection of the session was before it, and its first prompt is new all the same."""
    process = Process()
    first = process.connection()
    second = process.connection(first.session)
    insert(
        store,
        first.started(MODEL=model),
        used(first, model, 1, 1000, 100),
        first.closed(2000, MODEL=model),
        second.started(3000, MODEL=model, RESUMED_FROM=first.id),
        used(second, model, 2, 1300, 100, at_ms=4000),
    )

    _, (row,) = simulate(store, model, 1200, 100)
    assert (row["simulated_prompt_tokens"], row["compressions"]) == (2300, 0)


def test_a_context_that_was_lost_begins_anew(store: Store, model: str) -> None:
    """The third prompt has less than the one before: all of it may have been there, and it is left."""
    connection = Process().connection()
    pairs = [(1000, 100), (1300, 100), (180, 100), (400, 100)]
    insert(
        store,
        connection.started(MODEL=model),
        *(used(connection, model, number, *pair) for number, pair in enumerate(pairs, 1)),
    )

    _, (row,) = simulate(store, model, 1200, 500)
    assert row["simulated_prompt_tokens"] == 1000 + 700 + 180 + 400


def test_what_was_compressed_is_left_as_it_is_and_counted(store: Store, model: str) -> None:
    plain, compressed = Process().connection(), Process().connection()
    pairs = [(1000, 100), (1300, 100)]
    insert(
        store,
        plain.started(MODEL=model),
        compressed.started(MODEL=model, COMPRESSION=True),
        *(
            used(connection, model, number, *pair)
            for connection in (plain, compressed)
            for number, pair in enumerate(pairs, 1)
        ),
    )

    whole, each = simulate(store, model, 1200, 100)
    saved = {row["session_id"]: row["saved_usd"] for row in each}
    assert saved[compressed.id] == 0
    assert saved[plain.id] == Decimal("0.00075")  # 1,100 cut to 100
    assert (whole["sessions"], whole["compressed_sessions"], whole["compressions"]) == (2, 1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_plain_python_comes_to_the_same_and_nothing_ever_gets_dearer(
    store: Store, model: str, seed: int
) -> None:
    dice = random.Random(seed)
    sessions = [random_session(dice, model) for _ in range(40)]
    insert(store, *(request for session in sessions for request in session.requests))
    passes = {session.session_id: session.passes for session in sessions}
    longest = max(one.tokens for session in sessions for one in session.passes)

    for trigger, target in ((600, 0), (1500, 700), (2500, 100), (longest, 10)):
        whole, each = simulate(store, model, trigger, target)
        assert len(each) == len(sessions)
        for row in each:
            expected = simulated(passes[str(row["session_id"])], trigger, target)
            assert (row["simulated_prompt_tokens"], row["compressions"]) == expected[:2], f"seed {seed}"
            saved, simulated_usd = Decimal(str(row["saved_usd"])), Decimal(str(row["simulated_usd"]))
            assert abs(Fraction(saved) - expected[2]) < Fraction(1, 10**15), f"seed {seed}"
            assert saved >= 0
            assert simulated_usd >= 0
            assert simulated_usd + saved == row["actual_usd"]
        for name in ("actual_usd", "simulated_usd", "saved_usd", "prompt_tokens", "compressions"):
            assert sum(Decimal(str(row[name])) for row in each) == whole[name]
    assert (whole["compressions"], whole["saved_usd"]) == (0, 0), "nothing exceeds the longest prompt"


def test_passes_told_in_any_order_and_twice_are_the_same(store: Store, model: str) -> None:
    dice = random.Random(11)
    sessions = [random_session(dice, model) for _ in range(10)]
    requests = [request for session in sessions for request in session.requests]
    insert(store, *requests)
    before = simulate(store, model, 1000, 300)
    dice.shuffle(requests)
    insert(store, *requests)

    assert simulate(store, model, 1000, 300) == before


def test_absurd_figures_are_no_error(store: Store, model: str) -> None:
    connection = Process().connection()
    insert(
        store,
        connection.started(MODEL=model),
        *(
            used(connection, model, number, prompt, 2**63)
            for number, prompt in enumerate([2**63, 5, 2**63 + 1, 0], 1)
        ),
    )

    _, (row,) = simulate(store, model, 1000, 300)
    # No prompt counts as more than 10^9.
    assert row["prompt_tokens"] == 2_000_000_005
    assert 0 <= int(str(row["simulated_prompt_tokens"])) <= 2_000_000_005
    assert Decimal(str(row["saved_usd"])) >= 0


def simulated(passes: Sequence[Pass], trigger: int, target: int) -> tuple[int, int, Fraction]:
    """Return prompt tokens, compressions and savings by the rules as ``--help`` states them."""
    tokens = compressions = context = real_context = previous = 0
    saved = Fraction(0)
    for one in passes:
        found = min(one.tokens, real_context)
        fresh = one.tokens - found
        held = min(found, context) if one.tokens < previous else context - (real_context - found)
        kept = min(held, target) if held + fresh > trigger else held
        compressions += kept < held
        tokens += kept + fresh
        if found:
            saved += found_usd(one, found) * (found - kept) / found
        context, real_context, previous = kept + fresh + one.made, one.tokens + one.made, one.tokens
    return tokens, compressions, saved


def found_usd(one: Pass, found: int) -> Fraction:
    """Return what these tokens of a prompt cost: those told as carried theirs, others the rest's average."""
    carried = {name: min(tokens, one.told.get(name, 0)) for name, tokens in one.prompt.items()}
    told = min(found, sum(carried.values()))
    usd_told, usd_all = input_usd(carried), input_usd(one.prompt) + one.tool_use * price("TEXT")
    rest = one.tokens + one.tool_use - sum(carried.values())
    of_told = usd_told * told / max(1, sum(carried.values()))
    return of_told + (usd_all - usd_told) * (found - told) / max(1, rest)


def input_usd(tokens: dict[str, int]) -> Fraction:
    return sum((count * price(name) for name, count in tokens.items()), Fraction(0))


def price(modality: str) -> Fraction:
    """Return dollars for a token; what nobody attributed is text, and video has no price."""
    usd = PRICES.get(("input", "TEXT" if modality == "UNATTRIBUTED" else modality), "0")
    return Fraction(usd) / 1_000_000


def told(connection: Connection, model: str, passes: Sequence[Pass]) -> list[Message]:
    return [
        connection.event(
            Event.USAGE,
            {A.MODEL: model, A.TURN: number, A.PASS: number, A.REPEAT: False},
            usage_body(one),
            number * 1000,
        )
        for number, one in enumerate(passes, 1)
    ]


def test_the_command_shows_all_sessions_and_the_dearest_with_what_it_takes_for_granted(run: Run) -> None:
    out = run("what-if --trigger 600 --target 100").out
    assert "if every prompt over 600 tokens" in out
    assert all(f"- {words}" in out for words in ASSUMPTIONS)
    assert "Of unknown cost, and in no sum: 2 of these sessions." in out
    (line,) = [line for line in out.splitlines() if line.startswith(TALK[:8]) and "gemini-priced" in line]
    # 522 + (700 - 464) + (800 - 464) of 2,022 tokens; shown to the same decimals, the parts add up.
    cells = line.split()
    assert cells[4:8] == ["3", "1", "2,022", "1,094"]
    cost, simulated_cost, saved = (Decimal(cell.lstrip("$")) for cell in cells[8:11])
    assert simulated_cost + saved == cost == Decimal("0.03441")


def test_programs_get_every_figure_and_the_assumptions(run: Run) -> None:
    answer = json.loads(run(f"what-if --trigger 600 --json --session {TALK}").out)
    assert (answer["trigger"], answer["target"]) == (600, 300)
    (row,) = answer["sessions"]
    assert row["session_id"] == TALK
    assert Decimal(row["simulated_usd"]) + Decimal(row["saved_usd"]) == Decimal("0.03440875")
    assert answer["all"]["saved_usd"] == row["saved_usd"]
    assert answer["assumptions"] == list(ASSUMPTIONS)

    outcome = run("what-if --trigger 600 --csv --limit all")
    lines = list(csv.DictReader(io.StringIO(outcome.out, newline="")))
    assert sum(Decimal(line["actual_usd"] or 0) for line in lines) == Decimal("0.03665875")
    assert ASSUMPTIONS[0] in outcome.err


def test_the_dearest_come_first_and_no_more_than_asked_for(run: Run) -> None:
    answer = json.loads(run("what-if --trigger 600 --limit 2 --json").out)
    assert [row["session_id"] for row in answer["sessions"]] == [TALK, "shared"]
    assert answer["all"]["sessions"] == 7


@pytest.mark.parametrize("words", ["--trigger 600 --target 600", "--trigger 600 --target 601", "--trigger 0"])
def test_a_target_that_is_not_below_the_trigger_is_an_error_in_a_line(run: Run, words: str) -> None:
    outcome = run(f"what-if {words}")
    assert (outcome.exit_code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "is not below the trigger" in outcome.err


@pytest.mark.parametrize("words", ["", "--trigger -5", "--trigger many", "--trigger 9999999999"])
def test_a_trigger_is_a_number_of_tokens(run: Run, words: str) -> None:
    outcome = run(f"what-if {words}")
    assert (outcome.exit_code, outcome.out) == (2, "")
    assert "trigger" in outcome.err


def test_a_model_or_a_time_without_sessions_is_an_answer_too(run: Run) -> None:
    for words in ("--model none", "--since 1s"):
        outcome = run(f"what-if --trigger 600 --json {words}")
        assert outcome.exit_code == 0
        assert json.loads(outcome.out)["sessions"] == []
        assert outcome.err.startswith("livemeter: nothing matches")


def test_help_states_what_the_figures_take_for_granted(run: Run) -> None:
    out = " ".join(run("what-if --help").out.split())
    assert all(words in out for words in ASSUMPTIONS)
