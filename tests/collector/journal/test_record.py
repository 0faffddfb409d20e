"""A segment's bytes: what is written is read back, and what is not as it was written is not believed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from livemeter_collector.journal.record import (
    Contents,
    Entry,
    Preamble,
    UnreadableSegmentError,
    digest_of,
    entries_bytes,
    preamble_bytes,
    read_contents,
)
from livemeter_collector.store.contract import Signal

PREAMBLE = Preamble(Signal.LOGS, 7, 197)

bodies = st.lists(st.binary(max_size=300), max_size=8)


def entry(body: bytes, number: int = 0) -> Entry:
    return Entry(body, number, 1_750_000_000_000_000_000 + number, digest_of(body))


def written(*requests: bytes) -> bytes:
    return preamble_bytes(PREAMBLE) + entries_bytes([entry(body, n) for n, body in enumerate(requests)])


def requests_of(data: bytes, contents: Contents) -> list[bytes]:
    return [data[place.body : place.end] for place in contents.places]


@given(bodies)
def test_what_is_written_is_read_back(requests: list[bytes]) -> None:
    data = written(*requests)
    contents = read_contents(data)

    assert contents.preamble == PREAMBLE
    assert requests_of(data, contents) == requests
    assert [place.records for place in contents.places] == list(range(len(requests)))
    assert contents.end == len(data)


@given(bodies, st.data())
def test_of_a_torn_segment_the_whole_requests_are_read(requests: list[bytes], data: st.DataObject) -> None:
    whole = written(*requests)
    torn = whole[: data.draw(st.integers(len(written()), len(whole)))]

    contents = read_contents(torn)

    found = requests_of(torn, contents)
    assert found == requests[: len(found)]
    assert torn.startswith(written(*found))
    assert len(torn) == len(whole) or len(torn) < len(written(*requests[: len(found) + 1]))


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=6), st.data())
def test_a_changed_byte_is_noticed(requests: list[bytes], data: st.DataObject) -> None:
    """Nothing that was changed is taken for what was written; what stands before it is."""
    whole = bytearray(written(*requests))
    place = data.draw(st.integers(len(written()), len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))

    found = requests_of(bytes(whole), read_contents(bytes(whole)))

    assert found == requests[: len(found)]
    assert len(written(*found)) <= place


@given(st.binary(max_size=200))
def test_other_bytes_are_no_segment(data: bytes) -> None:
    with pytest.raises(UnreadableSegmentError):
        read_contents(data)


def test_a_later_versions_segment_is_not_guessed_at() -> None:
    data = preamble_bytes(PREAMBLE).replace(b'"version":2', b'"version":3')

    with pytest.raises(UnreadableSegmentError, match="version 3"):
        read_contents(data)


def test_a_reader_of_otlp_sees_the_requests_alone() -> None:
    """Headers are fields that the schema does not have: a segment is one larger request."""
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "a"
    body = request.SerializeToString()

    read = ExportLogsServiceRequest.FromString(written(body, body))

    bodies = [logs.scope_logs[0].log_records[0].body.string_value for logs in read.resource_logs]
    assert bodies == ["a", "a"]


def test_every_signal_and_large_numbers_fit_the_preamble() -> None:
    for signal in Signal:
        preamble = replace(PREAMBLE, signal=signal, number=2**64, rules=9999)
        assert read_contents(preamble_bytes(preamble)).preamble == preamble
