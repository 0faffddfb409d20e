"""This process as the operating system sees it, under the names that every Prometheus client gives it."""

import contextlib
import os
import resource
from pathlib import Path

from livemeter_collector.telemetry.exposition import Family, Kind, Sample

_SELF = Path("/proc/self")


def process_families() -> list[Family]:
    """Return CPU time, memory and open files; what this system does not tell is left out."""
    families = [
        _family(
            "process_cpu_seconds_total",
            "counter",
            "User and system CPU time of the process, in seconds.",
            sum(os.times()[:2]),
        ),
        _family(
            "process_max_fds",
            "gauge",
            "Most file descriptors that the process may have open.",
            resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        ),
    ]
    with contextlib.suppress(OSError):
        pages = (_SELF / "statm").read_text("ascii").split()
        page_bytes = os.sysconf("SC_PAGE_SIZE")
        families += [
            _family(
                "process_resident_memory_bytes",
                "gauge",
                "Resident memory of the process, the embedded engine's included.",
                int(pages[1]) * page_bytes,
            ),
            _family(
                "process_virtual_memory_bytes",
                "gauge",
                "Virtual memory of the process.",
                int(pages[0]) * page_bytes,
            ),
        ]
    with contextlib.suppress(OSError):
        open_files = len(list((_SELF / "fd").iterdir()))
        families.append(
            _family("process_open_fds", "gauge", "File descriptors that the process has open.", open_files)
        )
    return families


def _family(name: str, kind: Kind, meaning: str, value: float) -> Family:
    return Family(name, kind, meaning, [Sample(value)])
