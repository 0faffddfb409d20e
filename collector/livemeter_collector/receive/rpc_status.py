"""Failures as ``google.rpc`` messages, the form in which OTLP wants them over HTTP and gRPC alike.

Pure. The only module that imports ``google.rpc``, whose package ships types without declaring it.
"""

from enum import IntEnum

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from livemeter_collector.ingest.request import RefusedError, RequestError, TooLargeError


class Code(IntEnum):
    """The codes that the doors answer with."""

    INVALID_ARGUMENT = code_pb2.INVALID_ARGUMENT
    NOT_FOUND = code_pb2.NOT_FOUND
    PERMISSION_DENIED = code_pb2.PERMISSION_DENIED
    RESOURCE_EXHAUSTED = code_pb2.RESOURCE_EXHAUSTED
    UNAUTHENTICATED = code_pb2.UNAUTHENTICATED
    UNAVAILABLE = code_pb2.UNAVAILABLE


def problem(code: Code, text: str) -> Message:
    """Return the ``google.rpc.Status`` of a code and what is wrong in words."""
    return _message(Status(code=code, message=text))


def status(error: RequestError) -> Message:
    """Return the ``google.rpc.Status`` of an error; a refusal carries a ``RetryInfo``."""
    if not isinstance(error, RefusedError):
        too_large = isinstance(error, TooLargeError)
        return problem(Code.RESOURCE_EXHAUSTED if too_large else Code.INVALID_ARGUMENT, str(error))
    details = AnyMessage()
    details.Pack(retry_info(error))
    return _message(Status(code=Code.UNAVAILABLE, message=str(error), details=[details]))


def retry_info(error: RefusedError) -> Message:
    """Return the ``google.rpc.RetryInfo`` that says when a refused request may come again."""
    return _message(RetryInfo(retry_delay=Duration(seconds=error.retry_after_s)))


def _message(message: Message) -> Message:
    return message
