"""Is the collector ready for telemetry? Judged from its counters. Pure."""

from collections.abc import Mapping

from livemeter_collector.ingest.counters import JournalState, SignalState
from livemeter_collector.store.contract import Signal


def reasons_not_ready(states: Mapping[Signal, SignalState], journal: JournalState) -> list[str]:
    """Return why requests are refused or pile up, a line each; nothing when all is well.

    Ready means that the journal takes requests and that the store took each signal's last insert, or was
    not asked yet.
    """
    reasons = [f"journal: {journal.reason_to_refuse}"] if journal.reason_to_refuse else []
    reasons += [
        f"{signal}: the store takes nothing: {state.trouble}"
        for signal, state in states.items()
        if state.trouble
    ]
    return [" ".join(reason.split()) for reason in reasons]
