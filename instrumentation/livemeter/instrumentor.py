"""The door for OpenTelemetry's own tooling: ``opentelemetry-instrument`` and whatever handles instrumentors.

Found through the entry point ``gemini_live`` of the group ``opentelemetry_instrumentor``. The class has what
such tooling calls, without a dependency on ``opentelemetry-instrumentation``. Telemetry goes to the global
providers, which that tooling sets up, or to those that are given.
"""

import logging
from collections.abc import Collection
from typing import Any

from livemeter.instrumentation import NotInstalledError, instrument, uninstrument
from livemeter.settings import Settings, SettingsError

_logger = logging.getLogger("livemeter")


class GeminiLiveInstrumentor:
    """Observes google-genai's Live connections. Every instance is the same switch of the process."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return what is instrumented, as a requirement."""
        return ("google-genai >= 1.30",)

    def instrument(self, **kwargs: Any) -> None:
        """Begin to observe. Calling it again changes nothing until ``uninstrument`` was called.

        Without google-genai, or with settings that cannot be understood, one warning is logged: an error
        raised here would keep the tooling from loading every other instrumentation.

        Args:
            **kwargs: ``tracer_provider``, ``logger_provider`` and ``meter_provider``, the global ones where
                not given. Anything else that such tooling passes is for others.
        """
        try:
            settings = Settings.from_environment()
            if settings.enabled:
                instrument(
                    tracer_provider=kwargs.get("tracer_provider"),
                    logger_provider=kwargs.get("logger_provider"),
                    meter_provider=kwargs.get("meter_provider"),
                    settings=settings,
                )
        except (NotInstalledError, SettingsError) as error:
            _logger.warning("Gemini Live is not observed: %s", error)

    def uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002 - what such tooling may pass
        """Stop observing and restore google-genai. The providers stay as they are."""
        uninstrument()
