"""The collector's own metrics, from the counters of the way in and of the way to the store. Pure.

Names follow the OpenTelemetry Collector's ``otelcol_*``, so that its alerts need another prefix and
nothing else: *refused* is a request that may come again, *failed* one that may not, *sent* is in the store.
What is Livemeter's own (the journal, requests that were repeated or set aside) is named alike.
"""

from collections.abc import Callable, Mapping

from livemeter_collector.ingest.counters import BOUNDS_S, Counters, JournalState, SignalState, Tally
from livemeter_collector.store.contract import Signal
from livemeter_collector.telemetry.exposition import Family, Kind, Sample, histogram
from livemeter_collector.telemetry.exposition import render as render_families

NOUNS = {Signal.LOGS: "log_records", Signal.TRACES: "spans", Signal.METRICS: "metric_points"}
"""What a signal's records are called in the names of metrics."""

States = Mapping[Signal, SignalState]
_TallyOf = Callable[[Counters], Tally]

_AT_THE_DOOR: tuple[tuple[str, _TallyOf, str], ...] = (
    ("accepted", lambda counters: counters.accepted, "acknowledged: on disk or stored"),
    ("repeated", lambda counters: counters.repeated, "sent again after they had been accepted; counted once"),
    ("refused", lambda counters: counters.refused, "turned away for now; the sender may try again"),
    ("failed", lambda counters: counters.malformed, "turned away for good: malformed or too large"),
)
_TO_THE_STORE: tuple[tuple[str, _TallyOf, str], ...] = (
    ("sent", lambda counters: counters.stored, "in the store"),
    ("set_aside", lambda counters: counters.set_aside, "that the store cannot read, kept as dead letters"),
)


def render(states: States, journal: JournalState, started_at: float, version: str) -> str:
    """Write all metrics of one moment but those of the process.

    Args:
        states: of every signal.
        journal: the journal as a whole.
        started_at: when the collector started, in seconds since 1970.
        version: Livemeter's.
    """
    return render_families(
        (
            _gauge("livemeter_build_info", "Always 1; the labels say what runs.", 1, version=version),
            _gauge(
                "livemeter_start_time_seconds", "When the collector started, in Unix seconds.", started_at
            ),
            *_door(states),
            *_store(states),
            *_journal(states, journal),
        )
    )


def _door(states: States) -> list[Family]:
    families = [
        _records(states, f"livemeter_receiver_{outcome}", tally_of, signal, f"{meaning}.")
        for outcome, tally_of, meaning in _AT_THE_DOOR
        for signal in Signal
    ]
    return [
        *families,
        _by_outcome(
            "livemeter_receiver_requests_total",
            "Export requests, by what became of them at the door.",
            states,
            lambda tally: tally.requests,
        ),
        _by_outcome(
            "livemeter_receiver_request_bytes_total",
            "Protobuf bytes of export requests, uncompressed, by what became of them at the door.",
            states,
            lambda tally: tally.bytes,
        ),
    ]


def _store(states: States) -> list[Family]:
    families = [
        _records(states, f"livemeter_exporter_{outcome}", tally_of, signal, f"{meaning}.")
        for outcome, tally_of, meaning in _TO_THE_STORE
        for signal in Signal
    ]
    return [
        *families,
        _by_signal(
            "livemeter_exporter_set_aside_requests_total",
            "Requests that the store cannot read, kept as dead letters.",
            "counter",
            states,
            lambda state: state.counters.set_aside.requests,
        ),
        _by_signal(
            "livemeter_exporter_send_failed_inserts_total",
            "Inserts that failed and will be repeated; nothing is lost by them.",
            "counter",
            states,
            lambda state: state.failed_inserts,
        ),
        _by_signal(
            "livemeter_store_available",
            "1 if the store took the last insert or was not asked yet, else 0.",
            "gauge",
            states,
            lambda state: not state.trouble,
        ),
        Family(
            "livemeter_store_insert_duration_seconds",
            "histogram",
            "Wall time of inserts that succeeded.",
            [
                sample
                for signal in Signal
                for times in (states.get(signal, SignalState()).insert_times,)
                for sample in histogram(BOUNDS_S, times.counts, times.sum_s, {"signal": signal})
            ],
        ),
    ]


def _journal(states: States, journal: JournalState) -> list[Family]:
    return [
        _gauge("livemeter_journal_size_bytes", "Size of the journal on disk.", journal.bytes),
        _gauge("livemeter_journal_capacity_bytes", "What the journal may hold.", journal.limit_bytes),
        _gauge("livemeter_journal_disk_free_bytes", "Free space on the journal's disk.", journal.free_bytes),
        _gauge(
            "livemeter_journal_available",
            "1 if the journal takes requests, 0 if it refuses them.",
            not journal.reason_to_refuse,
        ),
        _by_signal(
            "livemeter_journal_requests",
            "Requests that were accepted and are not in the store yet.",
            "gauge",
            states,
            lambda state: state.journal.requests,
        ),
        _by_signal(
            "livemeter_journal_records",
            "Records that were accepted and are not in the store yet.",
            "gauge",
            states,
            lambda state: state.journal.records,
        ),
        _by_signal(
            "livemeter_journal_oldest_age_seconds",
            "Age of the oldest request that is not in the store yet; 0 if there is none.",
            "gauge",
            states,
            lambda state: state.oldest_s,
        ),
    ]


def _records(states: States, name: str, tally_of: _TallyOf, signal: Signal, meaning: str) -> Family:
    noun = NOUNS[signal]
    words = noun.replace("_", " ").capitalize()
    value = tally_of(_counters(states, signal)).records
    return Family(f"{name}_{noun}_total", "counter", f"{words} {meaning}", [Sample(value)])


def _by_outcome(name: str, meaning: str, states: States, value_of: Callable[[Tally], int]) -> Family:
    samples = [
        Sample(value_of(tally_of(_counters(states, signal))), {"signal": signal, "outcome": outcome})
        for signal in Signal
        for outcome, tally_of, _ in _AT_THE_DOOR
    ]
    return Family(name, "counter", meaning, samples)


def _by_signal(
    name: str, meaning: str, kind: Kind, states: States, value_of: Callable[[SignalState], float]
) -> Family:
    samples = [
        Sample(value_of(states.get(signal, SignalState())), {"signal": signal.value}) for signal in Signal
    ]
    return Family(name, kind, meaning, samples)


def _gauge(name: str, meaning: str, value: float, **labels: str) -> Family:
    return Family(name, "gauge", meaning, [Sample(value, labels)])


def _counters(states: States, signal: Signal) -> Counters:
    return states.get(signal, SignalState()).counters
