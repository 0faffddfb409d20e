"""A throw-away certificate authority for servers on the loopback address.

The Python SDK of Gemini always dials ``wss``, so a local server needs a certificate the client trusts.
Only the public certificate is written to disk, in a folder that goes away with the authority.
"""

import ssl
import tempfile
from pathlib import Path
from typing import Self

import trustme

LOOPBACK_NAMES = ("127.0.0.1", "::1", "localhost")


class CertificateAuthority:
    """A certificate authority that lives as long as its ``with`` block.

    Several servers may share one, so that ``SSL_CERT_FILE`` can be set once for all of them.
    """

    def __init__(self) -> None:
        self._authority = trustme.CA(organization_name="livemeter fake Live server")
        self._folder = tempfile.TemporaryDirectory(prefix="livemeter-ca-")
        self.ca_file = Path(self._folder.name) / "ca.pem"
        """PEM file to trust, for instance in ``SSL_CERT_FILE``."""
        self._authority.cert_pem.write_to_path(str(self.ca_file))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the PEM file; contexts made before stay usable."""
        self._folder.cleanup()

    def server_context(self, *names: str) -> ssl.SSLContext:
        """TLS context of a server that answers to the loopback names and to ``names``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        identities = dict.fromkeys((*LOOPBACK_NAMES, *names))
        self._authority.issue_cert(*identities).configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - names OpenSSL
        return context

    def client_context(self) -> ssl.SSLContext:
        """TLS context of a client that trusts this authority and no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType] - names OpenSSL
        return context
