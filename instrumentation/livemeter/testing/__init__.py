"""A fake Gemini Live server, to test applications without Google.

::

    async with FakeLiveServer() as server:
        client = genai.Client(
            api_key="any",
            http_options={"base_url": server.url, "async_client_args": {"ssl": server.ssl_context()}},
        )

Needs the extra ``livemeter[testing]``. It imports neither google-genai nor the rest of livemeter.
"""

from livemeter.testing.authority import CertificateAuthority
from livemeter.testing.choice import DEFAULT_SCRIPT
from livemeter.testing.player import ScriptError
from livemeter.testing.record import ClientFrame, Connection, ServerFrame
from livemeter.testing.script import Match, Script, ScriptFormatError
from livemeter.testing.script_file import load_scripts
from livemeter.testing.server import SCRIPT_ERROR_CLOSE_CODE, FakeLiveServer, ServerOptions, ServerSettings
from livemeter.testing.steps import (
    Abort,
    Close,
    Expect,
    GoAway,
    Pause,
    RefuseHandshake,
    Repeat,
    ResumptionUpdate,
    Send,
    SendAudio,
    SetupComplete,
    Step,
    Usage,
)

__all__ = [
    "DEFAULT_SCRIPT",
    "SCRIPT_ERROR_CLOSE_CODE",
    "Abort",
    "CertificateAuthority",
    "ClientFrame",
    "Close",
    "Connection",
    "Expect",
    "FakeLiveServer",
    "GoAway",
    "Match",
    "Pause",
    "RefuseHandshake",
    "Repeat",
    "ResumptionUpdate",
    "Script",
    "ScriptError",
    "ScriptFormatError",
    "Send",
    "SendAudio",
    "ServerFrame",
    "ServerOptions",
    "ServerSettings",
    "SetupComplete",
    "Step",
    "Usage",
    "load_scripts",
]
