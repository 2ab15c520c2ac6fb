"""structlog, imported without Rich.

It takes Rich, where that is installed, for tracebacks in colours, which are not ours: two thirds of its import.
"""

from __future__ import annotations

from zlfeed.imports import without

with without("rich"):
    import structlog

__all__ = ["structlog"]
