"""Rewrite values that the engine's OTLP parser does not take as the strings that clickhouseexporter stores.

Pure: bytes in, bytes out. Arrays and key-value lists become JSON text, non-finite numbers their names, in
every ``AnyValue`` of a request: resource, scope, records, bodies, events, links, points, exemplars, metadata.
The text is that of ``pcommon.Value.AsString`` in OpenTelemetry Collector 0.152 and later, so that both ways
into the landing tables give the same rows.
"""

import base64
import json
import math
import re
from decimal import Decimal
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from livemeter_collector.receive.schema import REQUESTS
from livemeter_collector.store.contract import Signal

_ANY_VALUE = AnyValue.DESCRIPTOR.full_name
# A value of nine bytes that is a double (tag 0x21) with all exponent bits set, little-endian. A hit may be
# chance, about once in ten million records; an encoder that adds fields or longer tags to the value is missed
# and gets the engine's own word for infinity.
_NON_FINITE = re.compile(rb"\x09\x21.{6}[\xf0-\xff][\x7f\xff]", re.DOTALL)


class _NotJsonError(ValueError):
    """A number that JSON has no form for."""


def may_need_flattening(probe: Message, body: bytes) -> bool:
    """Tell whether ``flatten`` could change the bytes that ``probe`` was parsed from; False is certain."""
    return not probe.IsInitialized() or _NON_FINITE.search(body) is not None


def flatten(signal: Signal, body: bytes) -> bytes:
    """Replace nested and non-finite values by strings; the same bytes come back when there are none.

    Raises:
        google.protobuf.message.DecodeError: the bytes are not a request of this signal.
    """
    request = REQUESTS[signal].FromString(body)
    return request.SerializeToString() if _flatten_message(request) else body


def as_string(value: AnyValue) -> str:
    """Write an array or key-value list as JSON, and any number as JSON would; see the module's docstring.

    A NaN or an infinity inside an array or list leaves the empty string, as it does in the exporter.
    """
    if value.WhichOneof("value") == "double_value":
        return _number(value.double_value)
    try:
        return _json(value)
    except _NotJsonError:
        return ""


def _flatten_message(message: Message) -> bool:
    if isinstance(message, AnyValue):
        return _flatten_value(message)
    changed = False
    for name, repeated in _ways_to_values(message.DESCRIPTOR):
        if repeated:
            for element in getattr(message, name):
                changed |= _flatten_message(element)
        elif message.HasField(name):
            changed |= _flatten_message(getattr(message, name))
    return changed


def _flatten_value(value: AnyValue) -> bool:
    arm = value.WhichOneof("value")
    nested = arm in {"array_value", "kvlist_value"}
    if not nested and (arm != "double_value" or math.isfinite(value.double_value)):
        return False
    value.string_value = as_string(value)
    return True


@cache
def _ways_to_values(descriptor: Descriptor) -> tuple[tuple[str, bool], ...]:
    """Return the fields (name, repeated) through which a message reaches an ``AnyValue``."""
    return tuple(
        (field.name, field.is_repeated)
        for field in descriptor.fields
        if field.message_type is not None and _reaches_values(field.message_type)
    )


def _reaches_values(descriptor: Descriptor) -> bool:
    # AnyValue is where the messages of OTLP turn back on themselves, so stopping there ends the recursion.
    return descriptor.full_name == _ANY_VALUE or bool(_ways_to_values(descriptor))


def _json(value: AnyValue) -> str:
    match value.WhichOneof("value"):
        case "array_value":
            return "[" + ",".join(_json(element) for element in value.array_value.values) + "]"
        case "kvlist_value":
            # A Go map: the last of equal keys stays, and keys are written in byte order.
            pairs = {pair.key: pair.value for pair in value.kvlist_value.values}
            return "{" + ",".join(f"{_quote(key)}:{_json(pairs[key])}" for key in sorted(pairs)) + "}"
        case _:
            return _json_scalar(value)


def _json_scalar(value: AnyValue) -> str:
    match value.WhichOneof("value"):
        case "string_value":
            return _quote(value.string_value)
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return _json_number(value.double_value)
        case "bytes_value":
            # Go writes an empty byte slice that was copied from nothing as null.
            return f'"{base64.b64encode(value.bytes_value).decode()}"' if value.bytes_value else "null"
        case _:
            return "null"


def _quote(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _json_number(number: float) -> str:
    if not math.isfinite(number):
        raise _NotJsonError
    return _number(number)


def _number(number: float) -> str:
    """Write a number as ECMAScript does: shortest digits, an exponent below 1e-6 and from 1e21 on."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else f"{'-' if number < 0 else ''}Infinity"
    if number != 0 and not 1e-6 <= abs(number) < 1e21:
        return repr(number).replace("e-0", "e-")
    return format(Decimal(repr(number)), "f").removesuffix(".0")
