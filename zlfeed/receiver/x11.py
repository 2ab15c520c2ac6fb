"""The little that has to be said to an X server beside what OpenCV's Qt says: by libxcb, which Qt needs anyway."""

from __future__ import annotations

import ctypes
import struct
import threading
from ctypes import POINTER, Structure, c_char_p, c_int, c_uint8, c_uint32, c_void_p

_ANY_TYPE = 0
_WM_NAME = 39
"""The predefined atom (ICCCM section 4.1.2.1)."""
_MAP_NOTIFY = 19
_NAME_WORDS = 64


class _Cookie(Structure):
    _fields_ = (("sequence", c_uint32),)


class _Screens(Structure):
    """xcb_screen_iterator_t; a screen begins with its root window."""

    _fields_ = (("data", POINTER(c_uint32)), ("rem", c_int), ("index", c_int))


def _load() -> ctypes.CDLL:
    """libxcb with its functions' types. Raises OSError where there is none."""
    xcb = ctypes.CDLL("libxcb.so.1")
    signatures = {
        "xcb_connect": (c_void_p, c_char_p, c_void_p),
        "xcb_connection_has_error": (c_int, c_void_p),
        "xcb_disconnect": (None, c_void_p),
        "xcb_flush": (c_int, c_void_p),
        "xcb_get_setup": (c_void_p, c_void_p),
        "xcb_setup_roots_iterator": (_Screens, c_void_p),
        "xcb_query_tree": (_Cookie, c_void_p, c_uint32),
        "xcb_query_tree_reply": (c_void_p, c_void_p, _Cookie, c_void_p),
        "xcb_query_tree_children": (POINTER(c_uint32), c_void_p),
        "xcb_query_tree_children_length": (c_int, c_void_p),
        "xcb_get_property": (_Cookie, c_void_p, c_uint8, c_uint32, c_uint32, c_uint32, c_uint32, c_uint32),
        "xcb_get_property_reply": (c_void_p, c_void_p, _Cookie, c_void_p),
        "xcb_get_property_value": (c_void_p, c_void_p),
        "xcb_get_property_value_length": (c_int, c_void_p),
        "xcb_send_event": (_Cookie, c_void_p, c_uint8, c_uint32, c_uint32, c_char_p),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(xcb, name)
        function.restype, function.argtypes = result, arguments
    return xcb


class Display:
    """A connection to the display that DISPLAY names. Raises OSError, TimeoutError when it does not answer.

    Open it before the window and close it after: some servers begin anew when their last client leaves, and a
    connection that only tried the door would shut it on Qt.
    """

    def __init__(self, timeout_s: float) -> None:
        self._xcb = _load()
        self._connection: int | None = None
        connections: list[int] = []
        # A display on another machine may keep a connection waiting for minutes.
        attempt = threading.Thread(
            target=lambda: connections.append(self._xcb.xcb_connect(None, None)), name="display", daemon=True
        )
        attempt.start()
        attempt.join(timeout_s)
        if not connections:
            raise TimeoutError
        self._connection = connections[0]
        if self._xcb.xcb_connection_has_error(self._connection):
            self.close()
            raise ConnectionRefusedError

    def close(self) -> None:
        """Leaves the display; again does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._xcb.xcb_disconnect(connection)

    def announce_mapped(self, title: str) -> None:
        """Tells a window of this title that it is on the screen, as the server did when it was mapped.

        On a display without a window manager, which maps at once, the Qt 5.15 that comes with OpenCV loses that event
        in about one start in eight: the server sends it, Qt never handles it, and the window stays black for ever.
        Hearing it twice does no harm. Under a window manager the window is no child of the root, and nothing is sent.
        """
        if self._connection is None:
            return
        for window in self._top_windows():
            if self._name(window) == title:
                event = struct.pack("<BxHIIB19x", _MAP_NOTIFY, 0, window, window, 0)
                self._xcb.xcb_send_event(self._connection, 0, window, 0, event)
                self._xcb.xcb_flush(self._connection)

    def _top_windows(self) -> list[int]:
        """The root window's children."""
        xcb, connection = self._xcb, self._connection
        root = xcb.xcb_setup_roots_iterator(xcb.xcb_get_setup(connection)).data[0]
        reply = xcb.xcb_query_tree_reply(connection, xcb.xcb_query_tree(connection, root), None)
        if not reply:
            return []
        try:
            return list(xcb.xcb_query_tree_children(reply)[: xcb.xcb_query_tree_children_length(reply)])
        finally:
            _free(reply)

    def _name(self, window: int) -> str:
        """A window's name, empty when it has none or has gone."""
        xcb, connection = self._xcb, self._connection
        cookie = xcb.xcb_get_property(connection, 0, window, _WM_NAME, _ANY_TYPE, 0, _NAME_WORDS)
        reply = xcb.xcb_get_property_reply(connection, cookie, None)
        if not reply:
            return ""
        try:
            length = xcb.xcb_get_property_value_length(reply)
            return ctypes.string_at(xcb.xcb_get_property_value(reply), length).decode("utf-8", "replace")
        finally:
            _free(reply)


def _free(reply: int) -> None:
    """xcb's replies come from malloc."""
    libc = ctypes.CDLL(None)
    libc.free.argtypes = [c_void_p]
    libc.free(reply)
