"""The vocabulary is defined once: emitter and SQL may not use a word that it lacks."""

import re
from importlib import resources
from pathlib import Path

import pytest

import livemeter
from livemeter.vocabulary import Attribute, Event, FramesBody, UsageBody

SQL_DIR = Path(str(resources.files("livemeter_collector") / "sql"))
SQL_FILES = sorted(SQL_DIR.rglob("*.sql"))
PACKAGE = Path(livemeter.__file__).parent

ATTRIBUTE = re.compile(r"(?:LogAttributes|attributes)\['([^']+)'\]")
EVENT = re.compile(r"EventName\s*(?:=|!=|<>)\s*'([^']+)'")
PREFIXED = re.compile(r"\"((?:gemini_live|gen_ai)\.[a-z_.]+)\"")

# The landing rows hold whatever an OTLP source sends; only these resource attributes are named in SQL.
RESOURCE_ATTRIBUTES = {"service.name"}


@pytest.mark.parametrize("path", SQL_FILES, ids=lambda path: path.stem)
def test_sql_reads_only_attributes_and_events_of_the_vocabulary(path: Path) -> None:
    sql = path.read_text("utf-8")

    assert set(ATTRIBUTE.findall(sql)) <= {str(name) for name in Attribute} | RESOURCE_ATTRIBUTES
    assert set(EVENT.findall(sql)) <= {str(name) for name in Event}


def test_sql_reads_the_bodies_by_the_keys_of_the_vocabulary() -> None:
    migrations = SQL_DIR / "migrations"
    usage = (migrations / "0180_usage_from_logs_in_steps.sql").read_text("utf-8")
    frames = (migrations / "0161_frames_from_both_forms.sql").read_text("utf-8")
    handles = (migrations / "0191_handles_from_logs.sql").read_text("utf-8")

    assert set(re.findall(r"body\.([a-z_]+)", usage)) <= {str(key) for key in UsageBody}
    packed = set(re.findall(r"packed\.([a-z_]+)", frames))
    assert packed == {str(key) for key in FramesBody} - {str(FramesBody.HANDLES)}
    assert f"'{FramesBody.HANDLES}'" in handles


def test_labels_are_cut_out_of_attributes_at_the_length_of_their_prefix() -> None:
    cuts = {
        int(start)
        for path in SQL_FILES
        for start in re.findall(r"substring\(key, (\d+)\)", path.read_text("utf-8"))
    }

    assert {len(Attribute.LABEL_PREFIX) + 1} == cuts


def test_every_event_of_the_vocabulary_is_read_by_sql_or_told_in_the_story() -> None:
    """``connections_from_logs`` and ``live_events`` read every event by the common prefix."""
    assert all(event.startswith("gemini_live.") for event in Event)


def test_names_are_spelled_out_in_the_vocabulary_alone() -> None:
    spelled = {
        (path.name, name)
        for path in PACKAGE.rglob("*.py")
        if path.name != "vocabulary.py"
        for name in PREFIXED.findall(path.read_text("utf-8"))
    }

    assert set() == spelled
