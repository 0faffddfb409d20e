"""Reading and checking the catalogue: the packaged file is sound, and mistakes are told in one clear line."""

import tomllib
from importlib.resources import files

import pytest

from livemeter.diagnosis import CATALOGUE_VERSION, RetryClass, load_catalogue
from livemeter.diagnosis.catalogue import Catalogue, parse_catalogue
from livemeter.diagnosis.packaged import DataError

ENTRY = """
[[entry]]
id = "an-entry"
codes = [1011]
phases = ["active"]
reason.prefix = ["Some text"]
when = { closed_by = "server", since_tool_response_ms_at_most = 5000 }
cause = "A cause."
hint = "A hint."
retry_class = "resume"
backoff_ms = [100, 1000]
source = "a page"
confidence = "C"
sample = { code = 1011, reason = "Some text." }
"""


def parsed(entries: str) -> Catalogue:
    return parse_catalogue('version = "1"\n' + entries, "test.toml")


def test_the_packaged_catalogue_loads_and_carries_its_version() -> None:
    catalogue = load_catalogue()
    assert catalogue.version == CATALOGUE_VERSION
    document = tomllib.loads(files("livemeter.diagnosis").joinpath("catalogue.toml").read_text("utf-8"))
    assert [entry.id for entry in catalogue.entries] == [entry["id"] for entry in document["entry"]]
    assert catalogue.version == document["version"]


def test_every_spoken_entry_says_what_and_what_to_do_in_few_sentences() -> None:
    for entry in load_catalogue().entries:
        assert entry.cause.endswith(".")
        if entry.diagnosis is not None:
            assert entry.diagnosis.hint == "{model_advice}" or entry.diagnosis.hint.endswith(".")
            assert len(entry.diagnosis.hint) < 300
            assert entry.diagnosis.catalogue_version == CATALOGUE_VERSION


def test_an_entry_keeps_what_the_file_says() -> None:
    (entry,) = parsed(ENTRY).entries
    assert entry.diagnosis is not None
    assert entry.diagnosis.retry_class is RetryClass.RESUME
    assert (entry.diagnosis.backoff_initial_ms, entry.diagnosis.backoff_max_ms) == (100, 1000)
    assert entry.when.since_tool_response_ms_at_most == 5000.0
    assert entry.reason is not None
    assert entry.reason.prefix == ("some text",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('cause = "A cause."', "", "`cause` is missing"),
        ('hint = "A hint."', "", "`hint` is missing"),
        ('hint = "A hint."', 'hint = "{model_advice}"', "need each other"),
        ("codes = [1011]", "", "at least one code"),
        ("codes = [1011]", "codes = [700]", "700 is neither"),
        ("codes = [1011]", 'codes = ["1011"]', "must hold int values"),
        ("codes = [1011]", "codes = [403]", "only compared in the phase handshake"),
        ('"active"', '"later"', "`phases` cannot be `later`; allowed: handshake, setup, active"),
        ("resume", "retry", "`retry_class` cannot be `retry`; allowed: never, rotate, drop_handle, resume"),
        ("[100, 1000]", "[1000, 100]", "backoff_ms = [first, largest]"),
        ('"resume"', '"account"', "remove `backoff_ms`"),
        ("reason.prefix", "reason.begins", "unknown key `begins`; allowed: contains, exact, prefix"),
        ('"Some text"', f'"{"x" * 124}"', "longer than a close reason"),
        ("closed_by", "closes_by", "unknown key `closes_by`"),
        ("5000", "true", "must be float, not bool"),
        ("code = 1011,", "status = 1011,", "unknown key `status`"),
        ("code = 1011,", "", "needs a `code` or an `http_status`"),
        ('"C"', '"F"', "confidence must be one of A, B, C, D, E"),
        ("an-entry", "An_Entry", "not kebab-case"),
        ("[[entry]]", "[[entry]]\ncolour = 1", "unknown key `colour`"),
    ],
)
def test_a_mistake_in_an_entry_is_named(old: str, new: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        parsed(ENTRY.replace(old, new, 1))
    assert message in str(caught.value)
    assert str(caught.value).startswith("test.toml: entry 1")
    assert "\n" not in str(caught.value)


def test_an_id_is_used_once() -> None:
    with pytest.raises(DataError, match="`an-entry` is used more than once"):
        parsed(ENTRY + ENTRY)


def test_what_is_not_toml_or_not_known_at_the_top_is_refused() -> None:
    with pytest.raises(DataError, match=r"test\.toml: not valid TOML"):
        parse_catalogue("version =", "test.toml")
    with pytest.raises(DataError, match=r"test\.toml: unknown key `owner`"):
        parsed('owner = "me"\n' + ENTRY)
    with pytest.raises(DataError, match=r"test\.toml: `version` is missing"):
        parse_catalogue(ENTRY, "test.toml")
