"""Chains of exceptions, raised as libraries raise them; every message holds a word that may never be told."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosedError

from livemeter.hooks.exceptions import MAX_CHAIN, exception_chain, system_error_name


class SdkError(Exception):
    class NestedError(Exception):
        pass


def caught(raises: Callable[[], None]) -> BaseException:
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - any; which one is the test's own matter
        raises()
    return raised.value


def reset() -> None:
    raise ConnectionResetError(errno.ECONNRESET, "secret")


def from_a_reset() -> None:
    try:
        reset()
    except OSError as error:
        raise ConnectionClosedError(None, None) from error


def while_handling_that() -> None:
    try:
        from_a_reset()
    except ConnectionClosedError:
        raise SdkError.NestedError("secret")  # noqa: B904 - as google-genai does


def suppressed() -> None:
    try:
        reset()
    except OSError:
        raise SdkError("secret") from None


def test_a_chain_goes_from_the_outermost_through_contexts_and_causes() -> None:
    assert exception_chain(caught(while_handling_that)) == (
        f"{__name__}.SdkError.NestedError",
        "websockets.exceptions.ConnectionClosedError",
        "builtins.ConnectionResetError[ECONNRESET]",
    )


def test_a_context_that_was_suppressed_is_no_cause() -> None:
    assert exception_chain(caught(suppressed)) == (f"{__name__}.SdkError",)


def test_a_cause_comes_before_a_context() -> None:
    error = SdkError()
    error.__context__ = KeyError()
    error.__cause__ = OSError()

    assert exception_chain(error) == (f"{__name__}.SdkError", "builtins.OSError")


def test_a_circle_is_told_once() -> None:
    first, second = SdkError(), KeyError()
    first.__context__, second.__context__ = second, first

    assert exception_chain(first) == (f"{__name__}.SdkError", "builtins.KeyError")


def test_an_endless_chain_is_cut() -> None:
    error = SdkError()
    for _ in range(1000):
        outer = SdkError()
        outer.__context__, error = error, outer

    assert len(exception_chain(error)) == MAX_CHAIN


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (TimeoutError(errno.ETIMEDOUT, "secret"), "ETIMEDOUT"),
        (OSError(errno.ENETUNREACH, "secret"), "ENETUNREACH"),
        (TimeoutError("secret"), ""),
        (TimeoutError(), ""),
        (OSError(987_654, "secret"), ""),
        (asyncio.IncompleteReadError(b"secret", 9), ""),
        (socket.gaierror(socket.EAI_NONAME, "secret"), "EAI_NONAME"),
        (socket.gaierror(socket.EAI_AGAIN, "secret"), "EAI_AGAIN"),
        # OpenSSL's 1 is not EPERM, and a resolver's number is no errno.
        (ssl.SSLError(1, "secret"), ""),
        (socket.gaierror(), ""),
        (ValueError("secret"), ""),
    ],
    ids=repr,
)
def test_a_system_s_error_has_the_system_s_name(error: BaseException, name: str) -> None:
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    assert system_error_name(error) == name
    assert exception_chain(error) == (f"{kind}[{name}]" if name else kind,)


@given(st.text(), st.one_of(st.none(), st.integers()), st.booleans())
def test_no_message_is_ever_told(message: str, number: int | None, cause: bool) -> None:
    marked = f"<{message}>"
    error = OSError(number, marked) if number is not None else OSError(marked)
    outer = SdkError(marked)
    setattr(outer, "__cause__" if cause else "__context__", error)

    assert marked not in repr(exception_chain(outer))
