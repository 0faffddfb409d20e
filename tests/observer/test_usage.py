"""usageMetadata to figures, and what the next pass finds in its context."""

from typing import Any

import pytest

from livemeter.observer.facts import Usage
from livemeter.observer.usage import context_after, read_usage
from tests.observer.harness import Json, details, to_snake

WHOLE: Json = {
    "promptTokenCount": 541,
    "toolUsePromptTokenCount": 20,
    "cachedContentTokenCount": 100,
    "responseTokenCount": 156,
    "thoughtsTokenCount": 30,
    "totalTokenCount": 747,
    "promptTokensDetails": details(TEXT=410, AUDIO=131),
    "toolUsePromptTokensDetails": details(TEXT=20),
    "cacheTokensDetails": details(TEXT=100),
    "responseTokensDetails": details(AUDIO=150, TEXT=6),
    "trafficType": "ON_DEMAND",
    "serviceTier": "standard",
}


def vertex_names(metadata: Json) -> Json:
    return {name.replace("response", "candidates"): value for name, value in metadata.items()}


@pytest.mark.parametrize(
    "metadata", [WHOLE, to_snake(WHOLE), vertex_names(WHOLE), to_snake(vertex_names(WHOLE))]
)
def test_all_figures_are_read_in_both_spellings_and_both_cases(metadata: Json) -> None:
    assert read_usage(metadata) == Usage(
        prompt=541,
        tool_use=20,
        cached=100,
        response=156,
        thoughts=30,
        total=747,
        prompt_details={"TEXT": 410, "AUDIO": 131},
        tool_use_details={"TEXT": 20},
        cached_details={"TEXT": 100},
        response_details={"AUDIO": 150, "TEXT": 6},
        traffic_type="ON_DEMAND",
        service_tier="standard",
    )


def test_a_figure_that_was_not_sent_is_not_zero() -> None:
    assert read_usage({"promptTokenCount": 5}) == Usage(prompt=5)
    assert read_usage({"responseTokenCount": 0}).response == 0


def test_figures_may_be_strings_of_digits() -> None:
    assert read_usage({"promptTokenCount": "541"}).prompt == 541


def test_response_wins_over_candidates_where_both_are_told() -> None:
    metadata: Json = {
        "responseTokenCount": 7,
        "candidatesTokenCount": 9,
        "responseTokensDetails": details(AUDIO=7),
        "candidatesTokensDetails": details(TEXT=9),
    }
    assert read_usage(metadata).response == 7
    assert read_usage(metadata).response_details == {"AUDIO": 7}


def test_a_lone_detail_without_a_count_stands_for_its_total() -> None:
    metadata: Json = {"promptTokenCount": 28, "promptTokensDetails": [{"modality": "TEXT"}]}
    assert read_usage(metadata).prompt_details == {"TEXT": 28}


def test_a_lone_detail_without_a_count_takes_what_the_others_leave() -> None:
    # 522 - 332 = 190
    listed = [*details(TEXT=332), {"modality": "AUDIO"}]
    metadata: Json = {"promptTokenCount": 522, "promptTokensDetails": listed}
    assert read_usage(metadata).prompt_details == {"TEXT": 332, "AUDIO": 190}


def test_a_lone_detail_without_a_count_never_goes_below_zero() -> None:
    listed = [*details(TEXT=332), {"modality": "AUDIO"}]
    metadata: Json = {"promptTokenCount": 300, "promptTokensDetails": listed}
    assert read_usage(metadata).prompt_details == {"TEXT": 332, "AUDIO": 0}


def test_two_details_without_a_count_are_not_guessed() -> None:
    listed = [*details(TEXT=10), {"modality": "AUDIO"}, {"modality": "IMAGE"}]
    metadata: Json = {"promptTokenCount": 100, "promptTokensDetails": listed}
    assert read_usage(metadata).prompt_details == {"TEXT": 10}


def test_details_short_of_their_total_stay_as_sent() -> None:
    metadata: Json = {"promptTokenCount": 522, "promptTokensDetails": details(TEXT=332, AUDIO=165)}
    assert read_usage(metadata).prompt_details == {"TEXT": 332, "AUDIO": 165}


def test_the_same_modality_twice_adds_up() -> None:
    listed = [*details(TEXT=3), *details(TEXT=4)]
    assert read_usage({"promptTokenCount": 7, "promptTokensDetails": listed}).prompt_details == {"TEXT": 7}


def test_a_detail_without_a_modality_is_named_unspecified() -> None:
    metadata: Json = {"promptTokenCount": 7, "promptTokensDetails": [{"tokenCount": 7}]}
    assert read_usage(metadata).prompt_details == {"MODALITY_UNSPECIFIED": 7}


@pytest.mark.parametrize(
    "metadata", [None, 7, "text", [], {"promptTokenCount": -1}, {"promptTokensDetails": 7}]
)
def test_what_cannot_be_read_is_an_empty_report(metadata: Any) -> None:
    assert read_usage(metadata) == Usage()


def test_the_context_is_prompt_and_response_by_modality() -> None:
    report = Usage(
        prompt=541,
        response=156,
        prompt_details={"TEXT": 410, "AUDIO": 131},
        response_details={"AUDIO": 150, "TEXT": 6},
    )
    # TEXT 410 + 6, AUDIO 131 + 150; both sides add up to their totals, so nothing is left over.
    assert context_after(report) == {"TEXT": 416, "AUDIO": 281}


def test_what_the_details_lack_is_in_the_context_without_a_modality() -> None:
    report = Usage(
        prompt=522, response=160, prompt_details={"TEXT": 332, "AUDIO": 165}, response_details={"AUDIO": 150}
    )
    # Prompt 522 - (332 + 165) = 25, response 160 - 150 = 10: 35 in all. AUDIO 165 + 150.
    assert context_after(report) == {"TEXT": 332, "AUDIO": 315, "UNATTRIBUTED": 35}


def test_without_details_the_whole_context_is_unattributed() -> None:
    assert context_after(Usage(prompt=100, response=28)) == {"UNATTRIBUTED": 128}


def test_details_beyond_a_total_take_nothing_back() -> None:
    report = Usage(prompt=100, response=10, prompt_details={"TEXT": 120})
    # The prompt's remainder is not -20 but 0; the response's 10 have no modality.
    assert context_after(report) == {"TEXT": 120, "UNATTRIBUTED": 10}


def test_thoughts_and_tool_use_are_not_in_the_context() -> None:
    report = Usage(
        prompt=100,
        tool_use=40,
        thoughts=136,
        response=42,
        prompt_details={"TEXT": 100},
        tool_use_details={"TEXT": 40},
        response_details={"AUDIO": 42},
    )
    assert context_after(report) == {"TEXT": 100, "AUDIO": 42}
