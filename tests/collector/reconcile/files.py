"""Billing files in the forms that Google writes, small enough to be worked out by hand."""

import csv
import io

HEADINGS = (
    "service.description,sku.id,sku.description,usage_start_time,usage_end_time,project.id,cost,currency,"
    "usage.amount,usage.unit,usage.amount_in_pricing_units,usage.pricing_unit,credits,labels,cost_type"
)
TEXT_IN = "BidiGenerateContent text input token count for Gemini 2.5 Flash Native Audio"
AUDIO_IN = "BidiGenerateContent audio input token count for Gemini 2.5 Flash Native Audio"
AUDIO_OUT = "BidiGenerateContent audio output token count for Gemini 2.5 Flash Native Audio"
TEXT_OUT = "BidiGenerateContent text output token count for Gemini 2.5 Flash Native Audio"
SEARCH = "Generate content search query gemini 2.5"


def line(
    sku: str,
    cost: str,
    amount: str,
    start: str = "2026-07-01 18:00:00 UTC",
    end: str = "2026-07-01 19:00:00 UTC",
    *,
    service: str = "Gemini API",
    project: str = "voice",
    currency: str = "USD",
    unit: str = "count",
    credits_: str = "",
    labels: str = "",
    cost_type: str = "regular",
) -> str:
    """One line of the standard export."""
    fields = (
        service, "25A5-7CA0-59C2", sku, start, end, project, cost, currency, amount, unit, "", "", credits_,
        labels, cost_type,
    )  # fmt: skip
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="").writerow(fields)
    return written.getvalue()


def file(*lines: str, headings: str = HEADINGS) -> list[str]:
    """A file's lines."""
    return "".join(f"{each}\n" for each in (headings, *lines)).splitlines(keepends=True)
