"""Records on their way: shuffled, late, sent again and in other company."""

import random
from collections.abc import Iterator, Sequence
from itertools import groupby

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from livemeter_collector.store.contract import Signal, Store
from tests.accounting.wire import Delivered


def insert(store: Store, dice: random.Random, records: Sequence[Delivered], tag: str) -> None:
    """Insert every record at least once, in any order and any company."""
    for number, (body, again) in enumerate(_requests(dice, records)):
        token = f"{tag}-{number}"
        store.insert_otlp(Signal.LOGS, body, token)
        if again:
            store.insert_otlp(Signal.LOGS, body, dice.choice((token, f"{token}-again")))


def _requests(dice: random.Random, records: Sequence[Delivered]) -> Iterator[tuple[bytes, bool]]:
    """Yield requests, and whether each is sent twice; some records are in several of them."""
    waiting = [*records, *dice.sample(records, len(records) // 10)]
    dice.shuffle(waiting)
    while waiting:
        size = dice.choice((50, 1000, 3000, 6000))
        yield request_of(waiting[:size]), dice.random() < 0.2
        del waiting[:size]


def request_of(records: Sequence[Delivered]) -> bytes:
    """Return records as one request, next to others of their resource where they happen to stand so."""
    request = ExportLogsServiceRequest()
    for resource, those in groupby(records, key=lambda each: each.resource.SerializeToString()):
        of_resource = request.resource_logs.add()
        of_resource.resource.ParseFromString(resource)
        of_resource.scope_logs.add().log_records.extend(each.record for each in those)
    return request.SerializeToString()
