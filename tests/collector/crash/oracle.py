"""What is in the store, by name, against what senders know; and the journal's own totals against both."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from livemeter.vocabulary import Attribute
from livemeter_collector.journal.dead_letters import DeadLetters
from livemeter_collector.store.contract import Signal
from tests.collector.crash.processes import until
from tests.collector.crash.sender import Evidence, fact_name, log_name, span_name

Rows = Callable[[str], list[list[Any]]]
"""Asks a store."""

_LOGS = (
    f"SELECT Body, LogAttributes['{Attribute.EMITTER_ID}'], LogAttributes['{Attribute.EMITTER_SEQ}']"
    " FROM livemeter.logs"
)
_SPANS = "SELECT SpanId FROM livemeter.otel_traces"
_FACTS = " UNION ALL ".join(
    f"SELECT emitter_id, seq FROM livemeter.{table}" for table in ("turns", "tool_calls")
)


def stored_names(rows: Rows) -> Counter[str]:
    """Return the names of all records that arrived as logs or spans, and how often each did."""
    logs = (fact_name(emitter, seq) if emitter else log_name(body) for body, emitter, seq in rows(_LOGS))
    spans = (span_name(span_id) for (span_id,) in rows(_SPANS))
    return Counter([*logs, *spans])


def fact_names(rows: Rows) -> Counter[str]:
    """Return the names of all Live facts in their own tables, and how often each is there."""
    return Counter(fact_name(emitter, seq) for emitter, seq in rows(_FACTS))


def assert_kept(rows: Rows, evidence: Evidence) -> None:
    """Everything acknowledged is there once, nothing else but what was sent, and nothing twice."""
    stored = stored_names(rows)
    facts = fact_names(rows)
    assert evidence.acknowledged
    assert _some(evidence.acknowledged - stored.keys()) == [], "acknowledged and not there"
    assert _some(stored.keys() - evidence.sent) == [], "there and never sent"
    assert _some(name for name, count in stored.items() if count > 1) == [], "there more than once"
    assert _some(name for name, count in facts.items() if count > 1) == [], "a fact counts more than once"
    assert facts.keys() == {name for name in stored if name.startswith("fact ")}


def assert_accounted(rows: Rows, data_dir: Path, evidence: Evidence) -> None:
    """With an empty journal: what was accepted is what is stored, by journal, tables and ledger."""
    assert waiting(data_dir) == []
    done = totals(data_dir)
    counted = {
        Signal.LOGS: rows("SELECT count() FROM livemeter.logs")[0][0],
        Signal.TRACES: rows("SELECT count() FROM livemeter.otel_traces")[0][0],
    }
    for signal, count in counted.items():
        accepted, set_aside = done[signal]["accepted"], done[signal]["set_aside"]
        assert int(accepted["records"]) == int(count) + set_aside["records"], signal
        counted_on_arrival = rows(
            "SELECT toString(sum(requests)), toString(sum(records)), toString(sum(stored))"
            f" FROM livemeter.ledger_inserts WHERE signal = '{signal}'"
        )
        stored = [str(accepted[what] - set_aside[what]) for what in ("requests", "records", "records")]
        assert counted_on_arrival == [stored], signal
    assert rows("SELECT * FROM livemeter.ledger WHERE missing != 0") == []
    requests = sum(done[signal]["accepted"]["requests"] for signal in counted)
    assert evidence.acknowledged_requests <= requests <= evidence.requests


def totals(data_dir: Path) -> Mapping[str, Any]:
    """Return the journal's history by signal."""
    said: Mapping[str, Any] = json.loads((data_dir / "journal" / "state.json").read_bytes())["signals"]
    return said


def waiting(data_dir: Path) -> list[str]:
    """Return the files of segments that are in the journal."""
    return sorted(path.name for path in (data_dir / "journal").glob("*/*.pb"))


def until_stored(data_dir: Path) -> None:
    """Wait until the journal holds nothing any more."""
    until(lambda: not waiting(data_dir), "everything in the journal was stored")


def reasons(data_dir: Path) -> Counter[str]:
    """Return why requests were set aside, and how many for each reason."""
    envelopes = DeadLetters(data_dir / "dead-letters").list().letters
    return Counter(envelope.reason for envelope in envelopes)


def _some(names: Any) -> list[str]:
    return sorted(names)[:5]
