"""OpenCV, loaded with what it needs to keep quiet, and one sentence when it does not load."""

from __future__ import annotations

import os
from types import ModuleType

from zlfeed.errors import StartError


def quiet() -> None:
    """Silences OpenCV and its FFmpeg; works only before they are loaded, and leaves what the user set."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


def require() -> ModuleType:
    """Imports cv2. Raises StartError that names the packages which a bare system lacks."""
    try:
        import cv2
    except ImportError as error:
        raise StartError(missing_sentence(error)) from None
    return cv2


def missing_sentence(error: ImportError) -> str:
    """What to do about an OpenCV that does not load."""
    if "libGL" in str(error) or "libgthread" in str(error) or "libglib" in str(error):
        return (
            f"OpenCV cannot be loaded ({error}): on Debian, Ubuntu and Raspberry Pi OS run "
            "apt install libgl1 libglib2.0-0 (on Debian 13 the second is called libglib2.0-0t64)"
        )
    return f"OpenCV cannot be loaded ({error}): reinstall it with pip install --force-reinstall opencv-python"
