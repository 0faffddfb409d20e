"""``import livemeter.auto``: the one line that instruments an application.

Spans, events and metrics of every Gemini Live connection go to ``LIVEMETER_ENDPOINT``, else
``OTEL_EXPORTER_OTLP_ENDPOINT``, else the collector on this machine (port 4318). Without google-genai,
or with settings that cannot be understood, one warning is logged and the application runs on.
"""

import logging

from livemeter.guard import guarded
from livemeter.instrumentation import NotInstalledError, instrument_privately
from livemeter.settings import SettingsError

with guarded("observe Gemini Live"):
    try:
        instrument_privately()
    except (NotInstalledError, SettingsError) as error:
        logging.getLogger("livemeter").warning("Gemini Live is not observed: %s", error)
