"""Read OTLP's JSON form, which differs from protobuf's own JSON in its ids, keys and enums.

Pure. OTLP writes trace and span ids as hex where protobuf's JSON would have base64, and knows lowerCamelCase
keys only. So the document is first reduced to the fields that the message has, with ids turned into base64,
and then read by protobuf's own reader, which checks types and ranges.
"""

import base64
import binascii
import json
from typing import Any, NoReturn, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from livemeter_collector.ingest.request import MalformedError
from livemeter_collector.receive.schema import REQUESTS
from livemeter_collector.store.contract import Signal

_HEX_FIELDS = frozenset({"trace_id", "span_id", "parent_span_id"})


def parse_json(signal: Signal, body: bytes) -> Message:
    """Read a JSON ``Export*ServiceRequest``.

    Raises:
        MalformedError: not JSON, or a field has the wrong form; the reason names the place.
    """
    request = REQUESTS[signal]()
    try:
        document = json.loads(body.decode(), parse_constant=_refuse_constant)
        ParseDict(_prepared_object(document, cast(Descriptor, request.DESCRIPTOR), "$"), request)
    except RecursionError as error:
        raise MalformedError("the JSON body is nested too deeply") from error
    except ParseError as error:
        raise MalformedError(f"the JSON body is not OTLP: {_naming_the_field(error)}") from error
    except ValueError as error:
        raise MalformedError(f"the body is not valid JSON: {error}") from error
    return request


def _prepared_object(value: Any, descriptor: Descriptor, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedError(f"the JSON body is not OTLP: {path} is not an object")
    members = cast(dict[str, Any], value)
    prepared: dict[str, Any] = {}
    for field in descriptor.fields:
        content = members.get(field.json_name)
        if content is not None:
            prepared[field.json_name] = _prepared_field(content, field, f"{path}.{field.json_name}")
    return prepared


def _prepared_field(content: Any, field: FieldDescriptor, path: str) -> Any:
    if field.message_type is None:
        return _base64_of_hex(content, path) if field.name in _HEX_FIELDS else content
    if not field.is_repeated:
        return _prepared_object(content, field.message_type, path)
    return _prepared_array(content, field.message_type, path)


def _prepared_array(elements: Any, descriptor: Descriptor, path: str) -> list[dict[str, Any]]:
    _check_array(elements, path)
    return [
        _prepared_object(element, descriptor, f"{path}[{index}]") for index, element in enumerate(elements)
    ]


def _check_array(content: object, path: str) -> None:
    if not isinstance(content, list):
        raise MalformedError(f"the JSON body is not OTLP: {path} is not an array")


def _base64_of_hex(content: Any, path: str) -> str:
    try:
        return base64.b64encode(binascii.unhexlify(content)).decode()
    except (ValueError, TypeError) as error:
        raise MalformedError(f"the JSON body is not OTLP: {path} is not a hexadecimal string") from error


def _naming_the_field(error: ParseError) -> ParseError:
    """Find the wrapper next to the cause: protobuf adds one, with the field's name, for every level."""
    cause = error.__cause__
    if isinstance(cause, ParseError) and isinstance(cause.__cause__, ParseError):
        return _naming_the_field(cause)
    return error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON: write it as a string")
