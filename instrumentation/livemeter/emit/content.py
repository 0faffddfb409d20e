"""What may leave of what people and tools said: redacted first, then cut.

The application's own callback runs on every piece. When it fails the piece stays here: content that nobody
redacted is worse than none.
"""

from typing import TYPE_CHECKING

from livemeter.emit.values import NO_CONTENT, Attributes, Content, clean
from livemeter.guard import guarded
from livemeter.settings import Settings
from livemeter.vocabulary import Attribute

if TYPE_CHECKING:
    from collections.abc import Callable


class ContentPolicy:
    """The settings about content, applied."""

    def __init__(self, settings: Settings) -> None:
        self.on_events = settings.content_on_events
        self.on_spans = settings.content_on_spans
        self._limit = settings.content_limit
        # What a callback promises to return is not what it returns.
        self._redact: Callable[[str], object] | None = settings.redact

    def passed(self, content: Content) -> Content:
        """Return what may leave; attributes say so where something was cut."""
        if content is NO_CONTENT or not (self.on_events or self.on_spans):
            return NO_CONTENT
        pieces = {name: self._redacted(str(text)) for name, text in content.attributes.items()}
        body = self._redacted(content.body)
        attributes: Attributes = {name: self._cut(text) for name, text in pieces.items() if text}
        if any(len(text) > self._limit for text in (*pieces.values(), body)):
            attributes[Attribute.CONTENT_TRUNCATED] = True
        return Content(attributes, self._cut(body))

    def _redacted(self, text: str) -> str:
        if not text or self._redact is None:
            return text
        with guarded("redact content"):
            redacted = self._redact(text)
            if not isinstance(redacted, str):
                raise TypeError(f"the redaction callback returned {type(redacted).__name__}, not a string")
            return redacted
        return ""

    def _cut(self, text: str) -> str:
        return clean(text[: self._limit])
