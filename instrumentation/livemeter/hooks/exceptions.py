"""Exceptions to what may be recorded of them: the names of their types, never their messages."""

import errno
import socket
import ssl

MAX_CHAIN = 16
"""Longest chain that is told. Two to four are usual; only a loop that re-raises for ever makes more."""

# Every resolver error by its number, as the platform counts: negative on Linux, positive on macOS.
_RESOLVER_ERRORS = {value: name for name, value in vars(socket).items() if name.startswith("EAI_")}


def exception_chain(error: BaseException) -> tuple[str, ...]:
    """Return the types of an exception and of what led to it, outermost first.

    Follows ``__cause__``, else ``__context__`` unless it was suppressed (``raise ... from None``), as a
    traceback does. An error of the operating system carries its name in brackets, such as
    ``builtins.ConnectionResetError[ECONNRESET]``.
    """
    chain: list[str] = []
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen and len(chain) < MAX_CHAIN:
        seen.add(id(following))
        chain.append(_described(following))
        following = _led_to(following)
    return tuple(chain)


def type_name(error: BaseException) -> str:
    """Return the qualified name of an exception's type, such as ``builtins.TimeoutError``."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def system_error_name(error: BaseException) -> str:
    """Return what the system calls an error: ``ETIMEDOUT``, ``EAI_NONAME``, ``CERTIFICATE_VERIFY_FAILED``.

    Empty for an exception that comes from no system call, which ``TimeoutError`` usually does not.
    """
    if isinstance(error, ssl.SSLError):
        # Its errno counts in OpenSSL's own numbers; its reason is a constant of OpenSSL's.
        return getattr(error, "reason", None) or ""
    if isinstance(error, socket.gaierror):
        return _RESOLVER_ERRORS.get(error.errno or 0, "")
    return errno.errorcode.get(error.errno or 0, "") if isinstance(error, OSError) else ""


def _described(error: BaseException) -> str:
    name = system_error_name(error)
    return f"{type_name(error)}[{name}]" if name else type_name(error)


def _led_to(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__
