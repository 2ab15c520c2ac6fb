"""The time until a command works: what imports make is no garbage, and looking through it took a tenth of that time."""

from __future__ import annotations

import gc


def loading() -> None:
    """From now on much is imported: nothing is looked through for garbage until loaded()."""
    gc.disable()


def loaded() -> None:
    """What has been imported since loading() stays, and is looked through no more, between two frames least of all."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
