"""A fact to its lines: every rule of accounting by figures worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.accounts.lines import (
    UNATTRIBUTED,
    Kind,
    Source,
    UsageLine,
    split_tokens,
    tier_of,
    turn_lines,
    usage_lines,
)
from livemeter.accounts.rates import Tier
from livemeter.observer import usage as observed
from livemeter.observer.facts import Usage
from tests.accounts.facts import ended, reported

REPORTED, DERIVED, ESTIMATED = Source.REPORTED, Source.DERIVED, Source.ESTIMATED


def quantities(lines: list[UsageLine]) -> dict[tuple[str, str], int]:
    return {(line.kind.value, line.modality): line.quantity for line in lines}


def test_details_that_add_up_are_all_there_is() -> None:
    assert split_tokens(10, {"TEXT": 4, "AUDIO": 6}) == [("TEXT", 4, REPORTED), ("AUDIO", 6, REPORTED)]


def test_what_the_details_lack_is_unattributed() -> None:
    # 522 tokens of which 332 + 165 are told: 25 are left.
    assert split_tokens(522, {"TEXT": 332, "AUDIO": 165}) == [
        ("TEXT", 332, REPORTED),
        ("AUDIO", 165, REPORTED),
        (UNATTRIBUTED, 25, REPORTED),
    ]


def test_details_beyond_the_total_stay_as_reported() -> None:
    assert split_tokens(10, {"TEXT": 12}) == [("TEXT", 12, REPORTED)]
    assert split_tokens(None, {"TEXT": 12}) == [("TEXT", 12, REPORTED)]


def test_measured_audio_stands_in_for_details_that_are_missing_altogether() -> None:
    # Two seconds at 25 tokens a second.
    lines = usage_lines(
        reported(Usage(prompt=80, response=60), context_audio_ms=2000, response_audio_ms=2000)
    )

    assert [(line.kind, line.modality, line.quantity, line.source) for line in lines] == [
        ("prompt", "AUDIO", 50, DERIVED),
        ("prompt", UNATTRIBUTED, 30, DERIVED),
        ("response", "AUDIO", 50, DERIVED),
        ("response", UNATTRIBUTED, 10, DERIVED),
    ]


def test_audio_gives_no_more_tokens_than_the_total_has() -> None:
    assert split_tokens(40, {}, audio_tokens=50) == [("AUDIO", 40, DERIVED)]


def test_audio_says_nothing_where_there_are_details() -> None:
    assert split_tokens(40, {"TEXT": 0}, audio_tokens=50) == [(UNATTRIBUTED, 40, REPORTED)]


def test_without_details_and_audio_everything_is_unattributed_as_reported() -> None:
    assert split_tokens(40, {}) == [(UNATTRIBUTED, 40, REPORTED)]


@pytest.mark.parametrize(("milliseconds", "tokens"), [(20, 0), (20.01, 1), (60, 2), (100, 2), (140, 4)])
def test_half_a_token_of_audio_goes_to_the_even_number(milliseconds: float, tokens: int) -> None:
    lines = usage_lines(reported(Usage(response=9), response_audio_ms=milliseconds))

    assert quantities(lines).get(("response", "AUDIO"), 0) == tokens


def test_cached_tokens_are_taken_out_of_the_prompt_by_modality() -> None:
    usage = Usage(
        prompt=100,
        prompt_details={"TEXT": 60, "AUDIO": 40},
        cached=50,
        cached_details={"AUDIO": 30, "TEXT": 20},
    )

    assert quantities(usage_lines(reported(usage))) == {
        ("prompt", "TEXT"): 40,
        ("prompt", "AUDIO"): 10,
        ("cached", "AUDIO"): 30,
        ("cached", "TEXT"): 20,
    }


def test_cached_tokens_of_unknown_modality_are_taken_out_of_the_prompt_in_its_order() -> None:
    # 10 of TEXT are told. The other 80: what is left of TEXT (50) and 30 of AUDIO.
    usage = Usage(
        prompt=100, prompt_details={"TEXT": 60, "AUDIO": 40}, cached=90, cached_details={"TEXT": 10}
    )

    assert quantities(usage_lines(reported(usage))) == {
        ("prompt", "AUDIO"): 10,
        ("cached", "TEXT"): 10,
        ("cached", UNATTRIBUTED): 80,
    }


def test_more_cached_tokens_than_the_prompt_has_leave_nothing_of_it() -> None:
    lines = usage_lines(reported(Usage(prompt=10, cached=15)))

    assert quantities(lines) == {("cached", UNATTRIBUTED): 15}


def test_carried_is_at_most_what_the_context_held_of_the_modality() -> None:
    usage = Usage(
        prompt=110, prompt_details={"TEXT": 60, "AUDIO": 40}, cached=20, cached_details={"TEXT": 20}
    )
    fact = reported(usage, previous_context={"TEXT": 30, "AUDIO": 99, UNATTRIBUTED: 4})

    lines = usage_lines(fact)

    assert {(line.kind, line.modality): (line.carried, line.fresh) for line in lines} == {
        ("prompt", "TEXT"): (10, 30),
        ("prompt", "AUDIO"): (40, 0),
        ("prompt", UNATTRIBUTED): (4, 6),
        ("cached", "TEXT"): (20, 0),
    }


def test_tool_use_and_response_and_thoughts_are_fresh() -> None:
    usage = Usage(
        tool_use=5, tool_use_details={"TEXT": 5}, response=7, response_details={"AUDIO": 7}, thoughts=3
    )

    assert usage_lines(reported(usage, previous_context={"TEXT": 99, "AUDIO": 99})) == [
        UsageLine(Kind.TOOL_USE_PROMPT, "TEXT", 5, REPORTED),
        UsageLine(Kind.RESPONSE, "AUDIO", 7, REPORTED),
        UsageLine(Kind.THOUGHTS, "TEXT", 3, REPORTED),
    ]


def test_a_repeat_has_lines_but_none_is_billable() -> None:
    lines = usage_lines(reported(Usage(prompt=3, thoughts=1), repeat=True))

    assert [(line.quantity, line.billable) for line in lines] == [(3, False), (1, False)]


def test_a_frame_that_names_no_tokens_has_no_lines() -> None:
    assert usage_lines(reported(Usage(prompt=0, response=0, response_details={"AUDIO": 0}))) == []


@pytest.mark.parametrize(
    ("bytes_in", "bytes_out", "tokens"), [(0, 0, 0), (1, 0, 1), (4, 4, 2), (5, 1, 3), (285, 2064, 588)]
)
def test_a_transcript_is_a_token_for_every_four_bytes_begun_on_each_side(
    bytes_in: int, bytes_out: int, tokens: int
) -> None:
    lines = turn_lines(ended(bytes_in=bytes_in, bytes_out=bytes_out))

    expected = [UsageLine(Kind.TRANSCRIPTION, "TEXT", tokens, ESTIMATED)]
    assert lines == (expected if tokens else [])


def test_grounding_is_counted_in_queries() -> None:
    (line,) = turn_lines(ended(grounding_queries=2))

    assert line == UsageLine(Kind.GROUNDING, "", 2, REPORTED)
    assert line.unit == "query"


@pytest.mark.parametrize(
    ("traffic_type", "service_tier", "tier"),
    [
        ("", "", Tier.STANDARD),
        ("ON_DEMAND", "standard", Tier.STANDARD),
        ("UNHEARD_OF", "unspecified", Tier.STANDARD),
        ("ON_DEMAND_PRIORITY", "", Tier.PRIORITY),
        ("", "PRIORITY", Tier.PRIORITY),
        ("ON_DEMAND_FLEX", "", Tier.FLEX),
        ("ON_DEMAND_OFFPEAK", "", Tier.FLEX),
        ("", "flex", Tier.FLEX),
        ("PROVISIONED_THROUGHPUT", "flex", Tier.PROVISIONED),
    ],
)
def test_the_tier_is_what_either_backend_says(traffic_type: str, service_tier: str, tier: Tier) -> None:
    assert tier_of(Usage(traffic_type=traffic_type, service_tier=service_tier)) is tier


def test_the_remainder_has_one_name_in_observer_and_accounts() -> None:
    assert UNATTRIBUTED == observed.UNATTRIBUTED


COUNTS = st.integers(0, 2**53 - 1)
DETAILS = st.dictionaries(st.sampled_from(["TEXT", "AUDIO", "IMAGE", "SCENT"]), COUNTS)


@given(COUNTS, DETAILS, COUNTS)
def test_the_parts_of_a_total_add_up_to_it_or_to_its_details(
    total: int, details: dict[str, int], audio_tokens: int
) -> None:
    parts = split_tokens(total, details, audio_tokens)

    assert sum(tokens for _, tokens, _ in parts) == max(total, sum(details.values()))
    assert all(tokens > 0 for _, tokens, _ in parts)


@given(DETAILS, COUNTS, DETAILS, DETAILS)
def test_prompt_and_cached_tokens_never_overlap(
    details: dict[str, int], cached: int, cached_details: dict[str, int], previous: dict[str, int]
) -> None:
    prompt = sum(details.values())
    usage = Usage(prompt=prompt, prompt_details=details, cached=cached, cached_details=cached_details)

    lines = [
        line for line in usage_lines(reported(usage, previous_context=previous)) if line.kind is Kind.PROMPT
    ]

    taken = min(prompt, max(cached, sum(min(details.get(name, 0), n) for name, n in cached_details.items())))
    assert sum(line.quantity for line in lines) == prompt - taken
    assert all(0 <= line.carried <= min(line.quantity, previous.get(line.modality, 0)) for line in lines)
