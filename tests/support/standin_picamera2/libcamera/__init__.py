"""What zlfeed and the stand-in picamera2 need of libcamera's Python binding."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class ColorSpace:
    """libcamera::ColorSpace, of which there are a few that have names."""

    class Range(Enum):
        """How luma is scaled."""

        Full = 0
        Limited = 1

    _KNOWN: ClassVar = {"Sycc": Range.Full, "Smpte170m": Range.Limited, "Rec709": Range.Limited}

    def __init__(self, name: str) -> None:
        self.name = name
        self.range = self._KNOWN[name]

    @classmethod
    def Sycc(cls) -> ColorSpace:
        """BT.601, full range."""
        return cls("Sycc")

    @classmethod
    def Smpte170m(cls) -> ColorSpace:
        """BT.601, limited range."""
        return cls("Smpte170m")

    @classmethod
    def Rec709(cls) -> ColorSpace:
        """BT.709, limited range."""
        return cls("Rec709")


class Transform:
    """No turning."""
