"""What people set on a camera, kept in the state folder for the publisher's next start. Not of the test picture's."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from zlfeed import logs, state
from zlfeed.publisher.camera import CameraSpec
from zlfeed.publisher.camera.v4l2 import device_path, stable_link
from zlfeed.publisher.controls.wishes import Kept

log = logs.get(__name__)

_BY_ID = Path("/dev/v4l/by-id")


def state_file() -> Path:
    """Where they are kept."""
    return platformdirs.user_state_path("zlfeed") / "controls.json"


def identity(spec: CameraSpec) -> str:
    """The stream's name, and its camera by what does not change when it is plugged in elsewhere."""
    camera = spec.text
    if spec.kind == "device":
        camera = device_path(spec.target)
        link = stable_link(camera, (_BY_ID,))
        camera = os.path.basename(link) if link else camera
    return f"{spec.name}={camera}"


def forget(spec: CameraSpec, path: Path | None = None) -> set[str]:
    """Forgets what is kept of that camera under whatever stream name; the names of the controls that were."""
    camera = identity(spec).partition("=")[2]
    keeper = Keeper(spec, path)
    return keeper.forget(camera)


class Keeper:
    """The kept values of one camera. A file that cannot be read or written is a line in the log, and nothing more."""

    def __init__(self, spec: CameraSpec, path: Path | None = None) -> None:
        self._camera = identity(spec)
        self._real = spec.kind != "test"
        self._path = path or state_file()

    def load(self) -> dict[str, Kept]:
        """The values by the control's name."""
        return dict(self._all().get(self._camera, {})) if self._real else {}

    def save(self, values: dict[str, Kept]) -> None:
        """Keeps these, and none else, of this camera."""
        everything = self._all()
        if not self._real or everything.get(self._camera, {}) == values:
            return
        everything[self._camera] = values
        self._write(everything)

    def forget(self, camera: str) -> set[str]:
        """Forgets what is kept of that camera, whatever its stream is called; the names of the controls that were."""
        everything = self._all()
        gone = {name: kept for name, kept in everything.items() if name.partition("=")[2] == camera}
        if gone:
            self._write({name: kept for name, kept in everything.items() if name not in gone})
        return {control for kept in gone.values() for control in kept}

    def _write(self, everything: dict[str, dict[str, Kept]]) -> None:
        everything = {camera: kept for camera, kept in everything.items() if kept}
        try:
            state.write(self._path, everything)
        except OSError as error:
            log.warning("controls_not_kept", file=str(self._path), error=os.strerror(error.errno or 0))

    def _all(self) -> dict[str, dict[str, Kept]]:
        try:
            return {
                str(camera): {
                    str(name): Kept(str(value), None if before is None else str(before))
                    for name, (value, before) in values.items()
                }
                for camera, values in state.read(self._path).items()
            }
        except OSError as error:
            log.warning("kept_controls_unreadable", file=str(self._path), error=os.strerror(error.errno or 0))
        except (ValueError, TypeError, AttributeError):
            log.warning("kept_controls_unreadable", file=str(self._path), error="it is not what zlfeed wrote there")
        return {}
