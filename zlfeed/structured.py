"""structlog, imported with the first line that is logged: the monitor's first picture needs none.

Without Rich, which it takes, where that is installed, for tracebacks in colours, which are not ours: two thirds of its
import.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from zlfeed.imports import without

_LOCK = threading.Lock()


class _Known:
    """structlog once it is imported, until then how it is to be set up."""

    module: ModuleType | None = None
    waiting: tuple[Callable[[Any], None], ...] = ()


def structlog() -> Any:
    """The library, set up."""
    if _Known.module is None:
        with _LOCK:
            if _Known.module is not None:  # another thread was quicker
                return _Known.module
            with without("rich"):
                import structlog as module
            for set_up in _Known.waiting:
                set_up(module)
            _Known.module, _Known.waiting = module, ()
    return _Known.module


def configure(set_up: Callable[[Any], None]) -> None:
    """Calls `set_up` with the library: now, or when it is imported."""
    with _LOCK:
        if _Known.module is None:
            _Known.waiting += (set_up,)
            return
    set_up(_Known.module)


class Logger:
    """One of structlog's; it says which part of the program speaks."""

    def __init__(self, part: str) -> None:
        self._part = part

    def __getattr__(self, method: str) -> Any:
        return getattr(structlog().get_logger(part=self._part), method)
