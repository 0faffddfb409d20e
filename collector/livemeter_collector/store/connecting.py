"""Why no connection to a ClickHouse server came about: is it away, or does it refuse us?

Pure. A server that is away, or starting behind a proxy, may be there later; a wrong password, an address at
which something else answers, or a certificate that nobody vouches for stays as it is.
"""

import re
import ssl
from collections.abc import Iterator

from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import NameResolutionError

from livemeter_collector.store.contract import StoreError, StoreUnavailableError
from livemeter_collector.store.tables import store_error

_NOT_LET_IN = frozenset(
    {
        192,  # UNKNOWN_USER
        193,  # WRONG_PASSWORD
        194,  # REQUIRED_PASSWORD
        195,  # IP_ADDRESS_NOT_ALLOWED
        516,  # AUTHENTICATION_FAILED
    }
)
_HTTP_STATUS = re.compile(r"HTTP status (\d+)")
# A proxy whose server is away, or that has too much to do: what it says has no code of ClickHouse's.
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
# The server's advice to its administrator follows its first sentence.
_ADVICE = re.compile(r"\. .*?(?=\([A-Z_]+\)$|$)")


def connect_error(error: ClickHouseError, where: str) -> StoreError:
    """Return what to raise; ``where`` is the server's address without a password.

    StoreUnavailableError says that the same may succeed later.
    """
    told = store_error(error)
    if told.code in _NOT_LET_IN:
        return StoreError(f"ClickHouse at {where} does not let us in: {_first_sentence(told)}", told.code)
    if told.code is not None:
        return told
    if (found := _HTTP_STATUS.search(str(error))) is not None:
        return _of_status(int(found[1]), where)
    return _of_connection(list(_causes(error)), told, where)


def _of_status(status: int, where: str) -> StoreError:
    if status in _PASSING_STATUS:
        return unreachable(where, f"HTTP status {status}")
    return StoreError(
        f"what answers at {where} is not ClickHouse's HTTP interface: it says HTTP status {status}"
    )


def _of_connection(causes: list[BaseException], told: StoreError, where: str) -> StoreError:
    if not causes:
        # The client itself did not understand an answer.
        return StoreError(f"what answers at {where} is not ClickHouse's HTTP interface")
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return StoreError(
                f"the certificate of {where} is not trusted: {cause.verify_message.rstrip('.')}:"
                " the variable SSL_CERT_FILE names a file of authorities to trust"
            )
        if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
            return StoreError(f"what answers at {where} speaks no TLS: write http:// or another port")
        if isinstance(cause, NameResolutionError):
            return unreachable(where, "its name is not known")
    return unreachable(where, str(told))


def unreachable(where: str, reason: str) -> StoreUnavailableError:
    """Return the error of a server that is away."""
    return StoreUnavailableError(f"cannot reach ClickHouse at {where} ({reason}): is it running?")


def _first_sentence(error: StoreError) -> str:
    return " ".join(_ADVICE.sub(" ", str(error)).split())


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
