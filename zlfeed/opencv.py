"""Loading OpenCV: quiet, without side effects on child processes, and with a sentence when a library is missing."""

from __future__ import annotations

import importlib
import os
import re
import sys
from types import ModuleType

from zlfeed.errors import StartError

# Debian's and Raspberry Pi OS's package of each library that opencv-python links to but does not bring along.
_PACKAGES = {
    "libGL.so": "libgl1",
    "libEGL.so": "libegl1",
    "libglib-2.0.so": "libglib2.0-0",
    "libgthread-2.0.so": "libglib2.0-0",
    "libSM.so": "libsm6",
    "libICE.so": "libice6",
    "libX11.so": "libx11-6",
    "libXext.so": "libxext6",
    "libXrender.so": "libxrender1",
    "libatomic.so": "libatomic1",
}
_COMMON_PACKAGES = "libgl1 libglib2.0-0"


def load_cv2(*, quiet: bool = True) -> ModuleType:
    """The cv2 module, imported on first use.

    `quiet` silences OpenCV's and its FFmpeg's own words on stderr, unless the user's environment
    (OPENCV_LOG_LEVEL, OPENCV_FFMPEG_LOGLEVEL) asks for them. Raises StartError naming the packages to install.
    """
    if quiet:
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    # The loader prepends to LD_LIBRARY_PATH, with an empty entry (the current folder) behind it when it was unset;
    # it serves nobody but our children, and FFmpeg must not look for its libraries there.
    library_path = os.environ.get("LD_LIBRARY_PATH")
    try:
        return importlib.import_module("cv2")
    except ImportError as error:
        # Left set by a loader that failed, this flag turns the next attempt's reason into "recursion is detected".
        vars(sys).pop("OpenCV_LOADER", None)
        raise StartError(explain(str(error), sys.platform)) from error
    finally:
        if library_path is None:
            os.environ.pop("LD_LIBRARY_PATH", None)
        else:
            os.environ["LD_LIBRARY_PATH"] = library_path


def explain(reason: str, platform: str) -> str:
    """The sentence for an import of cv2 that failed: `reason` is the ImportError's text, `platform` as sys.platform."""
    reason = " ".join(reason.split()) or "no reason given"
    if match := re.search(r"(lib[\w+.-]+\.so)[.\d]*: cannot open shared object file", reason):
        package = _PACKAGES.get(match[1])
        packages = " ".join(dict.fromkeys([package, *_COMMON_PACKAGES.split()])) if package else _COMMON_PACKAGES
        library = match[0].partition(":")[0]
        return (
            f"OpenCV cannot be loaded: the library {library} is missing. "
            f"On Debian, Ubuntu or Raspberry Pi OS: sudo apt install {packages}"
        )
    if "No module named" in reason:
        return f"OpenCV cannot be loaded: {reason}. Install it with: python -m pip install opencv-python"
    if platform == "win32" and "DLL load failed" in reason:
        return (
            f"OpenCV cannot be loaded: {reason}. Install the Microsoft Visual C++ Redistributable "
            "(and, on Windows N editions, the Media Feature Pack)"
        )
    return (
        f"OpenCV cannot be loaded: {reason}. Reinstall it with: python -m pip install --force-reinstall opencv-python"
    )
