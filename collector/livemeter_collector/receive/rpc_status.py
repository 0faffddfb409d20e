"""Failures as ``google.rpc`` messages, the form in which OTLP wants them over HTTP and gRPC alike.

Pure. The only module that imports ``google.rpc``, whose package ships types without declaring it.
"""

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.code_pb2 import (
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
    UNAVAILABLE,
)
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from livemeter_collector.ingest.request import RefusedError, RequestError, TooLargeError


def status(error: RequestError) -> Message:
    """Return the ``google.rpc.Status`` of an error; a refusal carries a ``RetryInfo``."""
    if not isinstance(error, RefusedError):
        code = RESOURCE_EXHAUSTED if isinstance(error, TooLargeError) else INVALID_ARGUMENT
        return _message(Status(code=code, message=str(error)))
    details = AnyMessage()
    details.Pack(retry_info(error))
    return _message(Status(code=UNAVAILABLE, message=str(error), details=[details]))


def retry_info(error: RefusedError) -> Message:
    """Return the ``google.rpc.RetryInfo`` that says when a refused request may come again."""
    return _message(RetryInfo(retry_delay=Duration(seconds=error.retry_after_s)))


def _message(message: Message) -> Message:
    return message
