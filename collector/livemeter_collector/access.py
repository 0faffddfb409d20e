"""Who may come in: the token that callers show, the certificates, and the host names that are this machine.

Whoever can reach a port of the collector can write telemetry or read all of it. On a loopback address that is
whoever has an account here, so nothing is asked but that the caller means this machine: a page in a browser
whose name was made to point at 127.0.0.1 says another name in its ``Host``. On every other address a caller
shows a token.
"""

import base64
import hmac
import ipaddress
import re
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

TOKEN_VARIABLE = "LIVEMETER_TOKEN"  # noqa: S105 - the name of the variable
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Where whoever watches over the process asks; the answers say nothing of the data."""

SHORTEST_TOKEN = 16
_LONGEST_TOKEN = 1024
# What RFC 6750 lets a bearer token be; it needs no quoting in a header, a URL, YAML or a shell.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_MAKE_ONE = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


class AccessError(Exception):
    """The doors cannot be opened like this; one line says what to do. Never holds a token."""


class Refusal(Enum):
    """Why a caller is not let in."""

    ANOTHER_HOST = "the Host header names another machine: use localhost, or give the collector a token"
    NO_TOKEN = "a token is required: send it as Authorization: Bearer"  # noqa: S105 - no token, but words about it
    WRONG_TOKEN = "the token is not the collector's"  # noqa: S105 - the same


@dataclass(frozen=True, slots=True)
class Access:
    """What the doors of one collector ask of a caller; made once, before any port is opened.

    Raises:
        AccessError: a host that other machines reach without a token, a token that cannot be one, or half of
            a certificate.
    """

    host: str = "127.0.0.1"
    """The address that is listened on."""
    token: str | None = field(default=None, repr=False)
    """What callers must show; None on loopback alone."""
    certificate: Path | None = None
    """PEM, the server's certificate and those up to its authority; TLS is spoken when it is given."""
    key: Path | None = None
    """PEM, the certificate's private key without a passphrase."""
    client_ca: Path | None = None
    """PEM, the authorities of clients; then a client without a certificate of theirs is not let in."""

    def __post_init__(self) -> None:
        if self.token is not None:
            _check_token(self.token)
        elif not is_loopback(self.host):
            raise AccessError(
                f"--host {self.host} can be reached from other machines and needs a token: set"
                f" {TOKEN_VARIABLE} or pass --token-file FILE; {_MAKE_ONE}"
            )
        if (self.certificate is None) != (self.key is None):
            raise AccessError("TLS needs both the certificate and its key: pass --tls-cert and --tls-key")
        if self.client_ca is not None and self.certificate is None:
            raise AccessError(
                "--tls-client-ca asks clients for certificates, which only TLS can do: pass"
                " --tls-cert and --tls-key too"
            )

    @property
    def is_tls(self) -> bool:
        """Whether the ports speak TLS."""
        return self.certificate is not None

    @property
    def in_the_clear(self) -> bool:
        """Whether tokens and telemetry cross a network unencrypted, as far as this process can know."""
        return not self.is_tls and not is_loopback(self.host)

    def is_token(self, text: str) -> bool:
        """Tell whether the text is the token, in a time that says nothing of where it differs."""
        return self.token is not None and hmac.compare_digest(text.encode(), self.token.encode())

    def refusal(self, host: str | None, shown: Iterator[str]) -> Refusal | None:
        """Judge a caller by the ``Host`` header and the tokens that were found in the request."""
        if self.token is None:
            # Browsers always say a host; who says none is no browser.
            return None if host is None or names_this_machine(host) else Refusal.ANOTHER_HOST
        verdicts = [self.is_token(text) for text in shown if text]
        if any(verdicts):
            return None
        return Refusal.WRONG_TOKEN if verdicts else Refusal.NO_TOKEN

    def ssl_context(self) -> ssl.SSLContext | None:
        """Load the certificates for the HTTP doors; None without TLS.

        Raises:
            AccessError: a file cannot be read or is not what it should be.
        """
        if self.certificate is None or self.key is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        with _readable(self.certificate, self.key):
            # With a passphrase given, even an empty one, OpenSSL does not ask for one at the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        if self.client_ca is not None:
            with _readable(self.client_ca):
                context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def read_token(environ: Mapping[str, str], token_file: Path | None) -> str | None:
    """Return the token of the file, or else of ``LIVEMETER_TOKEN``, or None; space around it is dropped.

    Raises:
        AccessError: the file cannot be read or is empty.
    """
    if token_file is None:
        return environ.get(TOKEN_VARIABLE, "").strip() or None
    try:
        with token_file.open("rb") as file:
            token = file.read(_LONGEST_TOKEN + 2).decode("ascii").strip()
    except OSError as error:
        raise AccessError(f"cannot read the token file {token_file}: {error.strerror}") from error
    except UnicodeDecodeError:
        # Not chained: the error would carry the bytes.
        raise AccessError(f"the token file {token_file} holds no token; {_MAKE_ONE}") from None
    if not token:
        raise AccessError(f"the token file {token_file} is empty; {_MAKE_ONE}")
    return token


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches the host: a loopback address, or ``localhost``."""
    if host.lower().removesuffix(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_this_machine(host_header: str) -> bool:
    """Tell whether a ``Host`` header, with or without a port, is a loopback address or ``localhost``."""
    found = _HOST.fullmatch(host_header.strip())
    return found is not None and is_loopback(found["v6"] or found["name"])


_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::\d{0,5})?")


def bearer_token(authorization: str) -> str:
    """Return the token of an ``Authorization: Bearer`` value; empty when it is of another kind."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def basic_password(authorization: str) -> str:
    """Return the password of an ``Authorization: Basic`` value, whoever the user is; else empty."""
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:
        # Not ASCII, not base64, not UTF-8.
        return ""


def bearer_tokens(request: Request) -> Iterator[str]:
    """Find the tokens of a request where OTLP's exporters put them."""
    return (bearer_token(value) for value in request.headers.getlist("authorization"))


class Doorkeeper:
    """ASGI middleware that lets requests in or answers them itself, before any of their body is read."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        answer: Callable[[Refusal, Request], Response],
        tokens: Callable[[Request], Iterator[str]] = bearer_tokens,
        open_paths: frozenset[str] = OPEN_PATHS,
    ) -> None:
        self._app = app
        self._access = access
        self._answer = answer
        self._tokens = tokens
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the request for its host or its token, unless its path is open."""
        if scope["type"] != "http" or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refusal = self._access.refusal(request.headers.get("host"), self._tokens(request))
        app = self._app if refusal is None else self._answer(refusal, request)
        await app(scope, receive, send)


def _check_token(token: str) -> None:
    if not SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN:
        raise AccessError(
            f"the token has to have {SHORTEST_TOKEN} to {_LONGEST_TOKEN} characters; {_MAKE_ONE}"
        )
    if not _TOKEN.fullmatch(token):
        raise AccessError(f"the token may hold letters, digits and -._~+/ only, = at its end; {_MAKE_ONE}")


@contextmanager
def _readable(*files: Path) -> Generator[None]:
    names = " and ".join(map(str, files))
    try:
        for file in files:
            # OpenSSL does not say which file it could not open.
            file.open("rb").close()
        yield
    except ssl.SSLError as error:
        raise AccessError(
            f"{names} cannot be used for TLS: PEM is needed, and a key that is the certificate's and has no"
            " passphrase"
        ) from error
    except OSError as error:
        raise AccessError(f"cannot read {error.filename or names}: {error.strerror}") from error
