"""Whether a window can be opened, found out beforehand: Qt ends the whole process when it cannot."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from pathlib import Path
from types import ModuleType

from zlfeed.errors import StartError

_PLUGINS = "QT_QPA_PLATFORM_PLUGIN_PATH"
_TIMEOUT_S = 3.0


def is_likely() -> bool:
    """Whether there is a desktop to open a window on; asks the environment only."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def prepare(cv2: ModuleType) -> None:
    """Makes sure that cv2 can open windows here. Raises StartError with the reason and the cure.

    Sets the environment variables of the Qt that comes with opencv-python, whose only way to a screen is X11.
    """
    framework = str(cv2.currentUIFramework()).upper()
    if not framework or framework == "NONE":
        raise StartError(
            "this OpenCV has no windows: replace it with `python -m pip uninstall opencv-python-headless` and "
            "`python -m pip install --force-reinstall opencv-python`, or use --headless"
        )
    if sys.platform in ("win32", "darwin"):
        return
    bundled = framework.startswith("QT") and os.environ.get(_PLUGINS, "").startswith(
        str(Path(str(cv2.__file__)).parent)
    )
    if bundled:
        os.environ["QT_QPA_PLATFORM"] = "xcb"
        _quiet_fonts()
    if not is_likely():
        raise StartError(
            "there is no display (DISPLAY is not set): log in on the desktop, use `ssh -X`, or use --headless"
        )
    if not bundled and os.environ.get("WAYLAND_DISPLAY"):
        return  # a system's own Qt or GTK speaks Wayland by itself
    if not os.environ.get("DISPLAY"):
        raise StartError("the window needs X11, and DISPLAY is not set: install Xwayland, or use --headless")
    _connect_x11()
    if bundled:
        _load_plugin(Path(os.environ[_PLUGINS], "platforms", "libqxcb.so"))


def _connect_x11() -> None:
    """Connects to the X server as Qt will, with its authorisation, and closes again."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return  # not a machine whose OpenCV uses X11
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    works: list[bool] = []

    def connect() -> None:
        connection = xcb.xcb_connect(None, None)
        works.append(not xcb.xcb_connection_has_error(connection))
        xcb.xcb_disconnect(connection)

    # A display on another machine may keep a connection waiting for minutes.
    attempt = threading.Thread(target=connect, name="display", daemon=True)
    attempt.start()
    attempt.join(_TIMEOUT_S)
    name = os.environ["DISPLAY"]
    if not works:
        raise StartError(f"the display {name} does not answer within {_TIMEOUT_S:g} s (DISPLAY): use --headless")
    if not works[0]:
        raise StartError(
            f"the display {name} cannot be opened: nothing answers there, or this user is not allowed to use it "
            "(DISPLAY, XAUTHORITY); use --headless to run without a window"
        )


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
