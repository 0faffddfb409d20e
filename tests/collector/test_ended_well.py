"""Whether a close was in order is said twice, by the emitter and by SQL: by the same rule."""

import itertools
from dataclasses import replace

from livemeter.emit.connections import ended_well
from livemeter.observer.facts import ConnectionClosed, Setup
from livemeter.vocabulary import Attribute, ClosedBy, Event, Phase
from livemeter_collector.store.contract import Signal, Store
from tests.accounting.events import Exported

CLOSED = ConnectionClosed(
    at_ns=1,
    opened_at_ns=0,
    duration_ms=1.0,
    setup=Setup(),
    code=None,
    reason="",
    closed_by=ClosedBy.NONE,
    clean=False,
    phase=Phase.ACTIVE,
    http_status=None,
    error_type="",
    attempt=1,
    resumed_from="",
    since_tool_response_ms=None,
    since_go_away_ms=None,
    go_away_overrun_ms=None,
    context_tokens=None,
    last_sent_at_ns=None,
    last_received_at_ns=None,
)
CODES = (None, 1000, 1001, 1006, 1008, 1009, 1011)
DIAGNOSES = ("", "keepalive-timeout", "frame-too-big-for-client", "client-left-with-exception")


def test_emitter_and_sql_agree_on_every_close(store: Store) -> None:
    cases = list(itertools.product(CODES, ClosedBy, Phase, DIAGNOSES))
    request = Exported()
    for number, (code, closed_by, phase, diagnosis) in enumerate(cases):
        attributes: dict[str, object] = {Attribute.CLOSED_BY: closed_by.value, Attribute.PHASE: phase.value}
        attributes |= {Attribute.CLOSE_CODE: code} if code is not None else {}
        attributes |= {Attribute.DIAGNOSIS: diagnosis} if diagnosis else {}
        request.event(Event.CONNECTION_CLOSED, 1, f"well-{number}", "m", attributes)
    store.insert_otlp(Signal.LOGS, request.to_bytes(), "ended-well")

    sql = "SELECT session_id, ended_well FROM livemeter.live_closes WHERE startsWith(session_id, 'well-')"
    stored = {row[0]: row[1] for row in store.query(sql).rows}
    assert stored == {
        f"well-{number}": ended_well(replace(CLOSED, code=code, closed_by=closed_by, phase=phase), diagnosis)
        for number, (code, closed_by, phase, diagnosis) in enumerate(cases)
    }
