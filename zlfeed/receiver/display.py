"""Whether a window can be opened, found out beforehand: Qt ends the whole process when it cannot."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from types import ModuleType

from zlfeed.errors import StartError
from zlfeed.receiver import x11

_PLUGINS = "QT_QPA_PLATFORM_PLUGIN_PATH"
_TIMEOUT_S = 3.0


def is_likely() -> bool:
    """Whether there is a desktop to open a window on; asks the environment only."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def prepare(cv2: ModuleType) -> x11.Display | None:
    """Makes sure that cv2 can open windows here. Raises StartError with the reason and the cure.

    For the Qt that comes with opencv-python, whose only way to a screen is X11, it sets the environment and gives a
    connection to the display, to be closed after the window; None where that is not needed.
    """
    framework = str(cv2.currentUIFramework()).upper()
    if not framework or framework == "NONE":
        raise StartError(
            "this OpenCV has no windows: replace it with `python -m pip uninstall opencv-python-headless` and "
            "`python -m pip install --force-reinstall opencv-python`, or use --headless"
        )
    if sys.platform in ("win32", "darwin"):
        return None
    bundled = _is_bundled_qt(cv2)
    if bundled:
        os.environ["QT_QPA_PLATFORM"] = "xcb"
        _quiet_fonts()
    if not is_likely():
        raise StartError(
            "there is no display (DISPLAY is not set): log in on the desktop, use `ssh -X`, or use --headless"
        )
    if not bundled and os.environ.get("WAYLAND_DISPLAY"):
        return None  # a system's own Qt or GTK speaks Wayland by itself
    if not os.environ.get("DISPLAY"):
        raise StartError("the window needs X11, and DISPLAY is not set: install Xwayland, or use --headless")
    server = _open(os.environ["DISPLAY"])
    if not bundled:
        server.close()
        return None
    _load_plugin(Path(os.environ[_PLUGINS], "platforms", "libqxcb.so"))
    return server


def _open(name: str) -> x11.Display:
    try:
        return x11.Display(_TIMEOUT_S)
    except TimeoutError:
        raise StartError(
            f"the display {name} does not answer within {_TIMEOUT_S:g} s (DISPLAY): use --headless"
        ) from None
    except OSError:
        raise StartError(
            f"the display {name} cannot be opened: nothing answers there, or this user is not allowed to use it "
            "(DISPLAY, XAUTHORITY); use --headless to run without a window"
        ) from None


def _is_bundled_qt(cv2: ModuleType) -> bool:
    """Whether windows are those of the Qt that comes with opencv-python on Linux; it speaks X11 only."""
    plugins = os.environ.get(_PLUGINS, "")
    return sys.platform == "linux" and bool(cv2.__file__) and plugins.startswith(str(Path(str(cv2.__file__)).parent))


def _load_plugin(plugin: Path) -> None:
    """Loads Qt's X11 part, which Qt would do next, to see whether all its libraries are there."""
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        raise StartError(
            f"OpenCV's window cannot be loaded: {error}; on Debian or Raspberry Pi OS: sudo apt install "
            "libxcb1 libxkbcommon-x11-0 libfontconfig1, or use --headless"
        ) from None


def _quiet_fonts() -> None:
    """The wheel names a folder of fonts that it does not bring along; Qt, which draws no text here, would complain."""
    rules = os.environ.get("QT_LOGGING_RULES")
    if rules is None:
        os.environ["QT_LOGGING_RULES"] = "default.warning=false;qt.qpa.fonts.warning=false"
