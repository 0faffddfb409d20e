"""The table of model names: the pairs, their symmetry, what is retired, and what raises nothing."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.diagnosis import MismatchKind, bare_model, model_mismatch
from livemeter.diagnosis.models import ModelName, load_models, model_standing, parse_models
from livemeter.diagnosis.packaged import DataError

ROWS = tuple(load_models().models.values())
PLATFORMS = ("gemini_api", "vertex_ai")
RESOURCE_PREFIXES = [
    "models/",
    "publishers/google/models/",
    "projects/p/locations/eu/publishers/google/models/",
]
PAIRS = [
    ("gemini-2.5-flash-native-audio-preview-09-2025", "gemini-live-2.5-flash-preview-native-audio-09-2025"),
    ("gemini-2.5-flash-native-audio-preview-12-2025", "gemini-live-2.5-flash-native-audio"),
]


@pytest.mark.parametrize(("dev", "vertex"), PAIRS)
def test_each_name_of_a_pair_is_the_one_to_try_on_the_other_backend(dev: str, vertex: str) -> None:
    for name, wrong, right_name in ((dev, "vertex_ai", vertex), (vertex, "gemini_api", dev)):
        mismatch = model_mismatch(name, wrong)
        assert mismatch is not None
        assert (mismatch.kind, mismatch.model, mismatch.try_model) == ("wrong_platform", name, right_name)
    assert model_mismatch(dev, "gemini_api") is None
    assert model_mismatch(vertex, "vertex_ai") is None


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", [row.name for row in ROWS if len(row.platforms) == 2])
def test_names_that_work_on_both_never_raise(name: str, platform: str) -> None:
    assert model_mismatch(name, platform) is None


@given(st.text(), st.sampled_from([*PLATFORMS, None, "", "elsewhere"]))
def test_unknown_names_never_raise(name: str, platform: str | None) -> None:
    if bare_model(name).lower() not in load_models().models:
        assert model_mismatch(name, platform) is None


@given(st.sampled_from(ROWS), st.sampled_from(PLATFORMS))
def test_the_name_to_try_can_work_there_and_is_in_the_hint(row: ModelName, platform: str) -> None:
    mismatch = model_mismatch(row.name, platform)
    if mismatch is None:
        assert platform in row.platforms
        return
    assert platform not in row.platforms
    assert model_mismatch(mismatch.try_model, platform) is None
    assert mismatch.try_model in load_models().models
    assert f"`{mismatch.try_model}`" in mismatch.hint
    assert f"`{row.name}`" in mismatch.hint


@given(st.sampled_from(ROWS), st.sampled_from(PLATFORMS), st.sampled_from(RESOURCE_PREFIXES))
def test_resource_prefixes_and_case_do_not_matter(row: ModelName, platform: str, prefix: str) -> None:
    assert bare_model(prefix + row.name) == row.name
    assert model_mismatch(prefix + row.name.upper(), platform) == model_mismatch(row.name, platform)


def test_counterparts_are_mutual_and_on_the_other_backend() -> None:
    models = load_models().models
    for row in ROWS:
        if row.counterpart:
            other = models[row.counterpart]
            assert other.counterpart == row.name
            assert not set(row.platforms) & set(other.platforms)
        if row.replaced_by:
            assert row.replaced_by in models


@pytest.mark.parametrize("platform", [*PLATFORMS, None])
@pytest.mark.parametrize("name", [row.name for row in ROWS if not row.platforms])
def test_a_name_that_is_gone_points_to_a_current_model_on_every_backend(
    name: str, platform: str | None
) -> None:
    mismatch = model_mismatch(name, platform)
    assert mismatch is not None
    assert mismatch.kind is MismatchKind.GONE
    assert mismatch.try_model == "gemini-3.8-live"


def test_an_announced_end_is_known_but_is_no_mismatch() -> None:
    name = "gemini-live-2.5-flash-native-audio"
    standing = model_standing(name, "vertex_ai")
    assert standing is not None
    assert standing.kind is MismatchKind.RETIRING
    assert "2026-12-13" in standing.hint
    assert model_mismatch(name, "vertex_ai") is None


def test_without_a_platform_only_a_name_that_is_gone_can_be_judged() -> None:
    kinds = {row.name: model_mismatch(row.name, None) for row in ROWS}
    assert {name for name, mismatch in kinds.items() if mismatch} == {
        row.name for row in ROWS if not row.platforms
    }
    assert model_mismatch(None, "vertex_ai") is None


TABLE = """
reviewed = 2026-11-21
on_both = "both"
[models.both]
platforms = ["gemini_api", "vertex_ai"]
[models.dev]
platforms = ["gemini_api"]
counterpart = "vertex"
[models.vertex]
platforms = ["vertex_ai"]
counterpart = "dev"
retirement_date = 2026-12-13
replaced_by = "both"
"""


def test_a_table_is_read_with_its_dates() -> None:
    table = parse_models(TABLE, "test.toml")
    assert table.reviewed == date(2026, 11, 21)
    assert table.models["vertex"].retirement_date == date(2026, 12, 13)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('counterpart = "dev"', 'counterpart = "both"', "dev: `vertex` must name it as its counterpart too"),
        ('platforms = ["vertex_ai"]', 'platforms = ["gemini_api"]', "must be on the other platform"),
        ('replaced_by = "both"', 'replaced_by = "none"', "replaced_by `none` is not in the table"),
        ('replaced_by = "both"', 'replaced_by = "vertex"', "round in a circle"),
        ('on_both = "both"', 'on_both = "dev"', "must be a model that works on every platform"),
        ('["vertex_ai"]', '["vertex"]', "unknown platform `vertex`; allowed: gemini_api, vertex_ai"),
        ('["gemini_api"]\ncounterpart = "vertex"', "[]", "a model that is gone needs `replaced_by`"),
        ("replaced_by", "followed_by", "unknown key `followed_by`"),
        ("2026-12-13", '"2026-12-13"', "must be date, not str"),
    ],
)
def test_a_mistake_in_the_table_is_named(old: str, new: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_models(TABLE.replace(old, new, 1), "test.toml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("test.toml")
