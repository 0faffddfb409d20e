"""A session's running account: what is added, what is not, and what is not known."""

import random
import threading
from datetime import UTC, datetime
from decimal import Decimal, localcontext

import pytest

from livemeter.accounts import Figures, Ledger, PriceList, Spend, price_list, read_overrides
from livemeter.accounts.prices import with_overrides
from livemeter.observer.facts import Usage, UsageReported
from tests.accounting.oracle import PRICES, Frame, session_costs
from tests.accounting.test_costs import UNPRICED, some_frame
from tests.accounts.facts import NS_PER_S, ended, reported

MODEL = "gemini-3.8-live"
API = "gemini_api"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(price_list())


FIELD = Usage(
    prompt=522,
    prompt_details={"TEXT": 332, "AUDIO": 165},
    response=42,
    response_details={"AUDIO": 42},
    thoughts=136,
)
"""332 x 0.75 + 165 x 3 + 25 x 0.75 + 42 x 12 + 136 x 4.50 = 1878.75; the 25 untold at 3 make 1935."""


def test_a_pass_of_the_field_costs_what_it_does_by_hand(ledger: Ledger) -> None:
    ledger.usage(reported(FIELD, previous_context={"TEXT": 300, "UNATTRIBUTED": 5}), MODEL, API)
    ledger.turn(ended(), MODEL, API)

    figures = ledger.snapshot()

    assert figures == Figures(
        turns=1,
        input_tokens=522,
        output_tokens=178,
        cost_usd=Decimal("0.00187875"),
        cost_low_usd=Decimal("0.00187875"),
        cost_high_usd=Decimal("0.001935"),
        # 300 x 0.75 + 5 x 0.75.
        carried_cost_usd=Decimal("0.00022875"),
        unpriced_quantity=0,
        usage_coverage=1.0,
        spend=figures.spend,
    )
    assert figures.spend["input", "UNATTRIBUTED"] == Spend(
        unit="token",
        quantity=25,
        carried=5,
        usd=Decimal("0.00001875"),
        usd_low=Decimal("0.00001875"),
        usd_high=Decimal("0.000075"),
        unpriced_quantity=0,
    )
    assert {key: spend.quantity for key, spend in figures.spend.items()} == {
        ("input", "TEXT"): 332,
        ("input", "AUDIO"): 165,
        ("input", "UNATTRIBUTED"): 25,
        ("output", "AUDIO"): 42,
        ("output", "TEXT"): 136,
    }


def test_every_pass_counts_and_a_repeat_does_not(ledger: Ledger) -> None:
    for number, prompt in enumerate((3501, 3642), start=1):
        usage = Usage(prompt=prompt, prompt_details={"TEXT": prompt})
        ledger.usage(reported(usage, pass_number=number), MODEL, API)
        ledger.usage(reported(usage, pass_number=number, repeat=True), MODEL, API)

    figures = ledger.snapshot()

    assert (figures.input_tokens, figures.cost_usd) == (7143, Decimal("0.00535725"))


def test_transcription_and_grounding_stand_apart_and_are_no_output_tokens(ledger: Ledger) -> None:
    ledger.turn(ended(has_output=False, bytes_in=9, bytes_out=4, grounding_queries=2), MODEL, API)

    figures = ledger.snapshot()

    # 3 + 1 tokens at 4.50 a million, two queries at 14 a thousand.
    spend = {key: (each.unit, each.quantity, each.usd) for key, each in figures.spend.items()}
    assert spend == {
        ("output", "TRANSCRIPTION"): ("token", 4, Decimal("0.000018")),
        ("output", "GROUNDING"): ("query", 2, Decimal("0.028")),
    }
    assert (figures.input_tokens, figures.output_tokens) == (0, 0)
    assert figures.cost_usd == Decimal("0.028018")


def test_a_session_that_used_nothing_costs_nothing(ledger: Ledger) -> None:
    figures = ledger.snapshot()

    money = (figures.cost_usd, figures.cost_low_usd, figures.cost_high_usd, figures.carried_cost_usd)
    assert money == (Decimal(0),) * 4
    assert (figures.turns, figures.input_tokens, figures.usage_coverage) == (0, 0, None)


def test_output_without_usage_is_not_known_and_not_nothing(ledger: Ledger) -> None:
    ledger.turn(ended(), MODEL, API)

    figures = ledger.snapshot()

    assert (figures.input_tokens, figures.output_tokens, figures.cost_usd) == (None, None, None)
    assert figures.usage_coverage == 0.0


def test_a_session_without_any_price_has_no_cost(ledger: Ledger) -> None:
    ledger.usage(reported(Usage(prompt=10)), UNPRICED, API)

    figures = ledger.snapshot()

    assert (figures.cost_usd, figures.cost_high_usd, figures.carried_cost_usd) == (None, None, None)
    assert (figures.input_tokens, figures.unpriced_quantity) == (10, 10)
    assert figures.spend["input", "UNATTRIBUTED"].usd is None


def test_what_has_no_price_beside_what_has_one_is_counted_apart(ledger: Ledger) -> None:
    ledger.usage(reported(Usage(prompt=4, prompt_details={"TEXT": 4})), MODEL, API)
    ledger.usage(reported(Usage(prompt=10, prompt_details={"TEXT": 10})), UNPRICED, API)

    figures = ledger.snapshot()

    assert (figures.cost_usd, figures.unpriced_quantity) == (Decimal("0.000003"), 10)
    assert figures.spend["input", "TEXT"].quantity == 14


def test_a_fact_is_priced_by_the_second_it_came_in() -> None:
    doubled = '[[price]]\nmodels = ["m"]\ninput = { TEXT = 1 }\n'
    doubled += '[[price]]\nmodels = ["m"]\nvalid_from = 2027-01-01\ninput = { TEXT = 2 }'
    new_year_ns = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()) * NS_PER_S
    usage = Usage(prompt=1_000_000, prompt_details={"TEXT": 1_000_000})

    costs: list[Decimal | None] = []
    for at_ns in (new_year_ns - 1, new_year_ns):
        ledger = Ledger(PriceList(with_overrides((), read_overrides(doubled, "own.toml"))))
        ledger.usage(reported(usage, at_ns=at_ns), "m", API)
        costs.append(ledger.snapshot().cost_usd)

    assert costs == [1, 2]


def test_provisioned_throughput_is_not_priced_as_pay_as_you_go(ledger: Ledger) -> None:
    ledger.usage(reported(Usage(prompt=7, traffic_type="PROVISIONED_THROUGHPUT")), MODEL, "vertex_ai")

    assert ledger.snapshot().cost_usd is None


def test_usage_that_trails_its_turn_covers_it(ledger: Ledger) -> None:
    ledger.turn(ended(1), MODEL, API)
    assert ledger.snapshot().usage_coverage == 0.0

    ledger.usage(reported(FIELD, turn=1), MODEL, API)
    assert ledger.snapshot().usage_coverage == 1.0

    ledger.usage(reported(FIELD, turn=1, pass_number=2), MODEL, API)
    ledger.turn(ended(2), MODEL, API)
    assert ledger.snapshot().usage_coverage == 0.5


def test_turns_without_output_need_no_usage(ledger: Ledger) -> None:
    ledger.usage(reported(FIELD, turn=1), MODEL, API)
    ledger.turn(ended(1), MODEL, API)
    ledger.turn(ended(2, has_output=False), MODEL, API)

    figures = ledger.snapshot()

    assert (figures.turns, figures.usage_coverage) == (2, 1.0)


def test_usage_without_a_token_covers_nothing(ledger: Ledger) -> None:
    ledger.usage(reported(Usage(prompt=0, response=0)), MODEL, API)
    ledger.turn(ended(), MODEL, API)

    assert ledger.snapshot().usage_coverage == 0.0


def test_connections_that_number_their_turns_alike_are_kept_apart(ledger: Ledger) -> None:
    ledger.usage(reported(FIELD, turn=1), MODEL, API, "one")
    ledger.turn(ended(1), MODEL, API, "other")
    ledger.turn(ended(1), MODEL, API, "one")

    assert ledger.snapshot().usage_coverage == 0.5


def test_a_ledger_remembers_a_bounded_number_of_connections(ledger: Ledger) -> None:
    for number in range(1000):
        ledger.usage(reported(FIELD, turn=1), MODEL, API, f"connection {number}")
        ledger.turn(ended(1), MODEL, API, f"connection {number}")

    assert ledger.snapshot().usage_coverage == 1.0
    assert len(ledger._coverage._connections) < 100


def test_a_snapshot_stays_as_it_was(ledger: Ledger) -> None:
    before = ledger.snapshot()
    ledger.usage(reported(FIELD), MODEL, API)

    assert before.cost_usd == 0
    assert not before.spend


def test_sums_are_exact_whatever_the_applications_decimal_context_is(ledger: Ledger) -> None:
    with localcontext() as context:
        context.prec = 3
        for _ in range(1001):
            ledger.usage(reported(FIELD), MODEL, API)
        figures = ledger.snapshot()

    assert figures.cost_usd == Decimal("1.88062875")


def test_threads_lose_nothing(ledger: Ledger) -> None:
    def work() -> None:
        for _ in range(500):
            ledger.usage(reported(FIELD), MODEL, API)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ledger.snapshot().input_tokens == 2000 * 522


def fact_of(frame: Frame) -> UsageReported:
    usage = Usage(
        prompt=frame.prompt,
        tool_use=frame.tool_use,
        cached=frame.cached,
        response=frame.response,
        thoughts=frame.thoughts,
        prompt_details=frame.prompt_details,
        tool_use_details=frame.tool_use_details,
        cached_details=frame.cached_details,
        response_details=frame.response_details,
    )
    return reported(
        usage,
        repeat=frame.repeat,
        context_audio_ms=frame.context_audio_ms,
        response_audio_ms=frame.response_audio_ms,
    )


def test_the_ledger_agrees_with_the_oracle() -> None:
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    for _ in range(300):
        model = dice.choice((*PRICES, UNPRICED))
        frames = [some_frame(dice) for _ in range(dice.randint(1, 8))]
        ledger = Ledger(price_list())
        for frame in frames:
            ledger.usage(fact_of(frame), model, API)

        expected = {
            key: (line.quantity, line.usd, line.low, line.high)
            for key, line in session_costs(model, frames).items()
        }
        spend = {
            key: (each.quantity, each.usd, each.usd_low, each.usd_high)
            for key, each in ledger.snapshot().spend.items()
        }
        assert spend == expected, f"seed {seed}"
