"""Imports without what a library takes along if it is there."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def without(name: str) -> Iterator[None]:
    """Within, an import finds no module of that name, unless it is loaded already.

    For a library that has an optional part we do not use, and looks for it when it is itself imported.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
