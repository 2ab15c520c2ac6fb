"""The OpenCV window: shows a picture as soon as it is in hand, and takes the keys. For the main thread only."""

from __future__ import annotations

import time
from types import ModuleType

import numpy as np
import numpy.typing as npt

from zlfeed.receiver import display

_LARGEST = (1280, 800)
"""A window begins no larger than this, in pixels; it can be made larger, or full screen."""
_ANNOUNCE_AFTER_S = (0.1, 0.5)
_KEYS = {ord("q"): "quit", 27: "quit", ord("s"): "save", ord("f"): "fullscreen"}


class Window:
    """One window. Raises StartError when there is no display that it could open on."""

    def __init__(self, cv2: ModuleType, title: str) -> None:
        self._server = display.prepare(cv2)
        self._cv2 = cv2
        self._title = title
        self._picture_size: tuple[int, int] | None = None
        self._fullscreen = False
        # Both carry out what is due, painting too, and return. Not all of OpenCV's toolkits know pollKey.
        framework = str(cv2.currentUIFramework()).upper()
        self._poll = cv2.pollKey if framework.startswith(("QT", "WIN32")) else lambda: cv2.waitKey(1)
        now = time.monotonic()
        self._announce_at = [now + delay for delay in _ANNOUNCE_AFTER_S] if self._server else []
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)

    def show(self, image: npt.NDArray[np.uint8]) -> None:
        """Has the image painted at the next keys()."""
        self._cv2.imshow(self._title, image)
        size = (image.shape[1], image.shape[0])
        if size != self._picture_size:
            self._picture_size = size
            scale = min(1.0, _LARGEST[0] / size[0], _LARGEST[1] / size[1])
            self._cv2.resizeWindow(self._title, round(size[0] * scale), round(size[1] * scale))

    def keys(self) -> str | None:
        """Paints and takes one key: quit, save or None. Closing the window is quit; full screen is done here."""
        if self._server and self._announce_at and time.monotonic() >= self._announce_at[0]:
            self._announce_at.pop(0)
            self._server.announce_mapped(self._title)
        action = _KEYS.get(self._poll() & 0xFF)
        if not self._is_open():
            return "quit"
        if action == "fullscreen":
            self._fullscreen = not self._fullscreen
            mode = self._cv2.WINDOW_FULLSCREEN if self._fullscreen else self._cv2.WINDOW_NORMAL
            self._cv2.setWindowProperty(self._title, self._cv2.WND_PROP_FULLSCREEN, mode)
            return None
        return action

    def close(self) -> None:
        """Closes the window; it may be closed already."""
        if self._is_open():
            self._cv2.destroyWindow(self._title)
            self._poll()
        if self._server:
            self._server.close()

    def _is_open(self) -> bool:
        try:
            return bool(self._cv2.getWindowProperty(self._title, self._cv2.WND_PROP_VISIBLE) >= 1)
        except self._cv2.error:
            return False  # that there never was one is how OpenCV with Qt tells of the last one closed
