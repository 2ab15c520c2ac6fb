"""Which cameras are asked for: by --camera, a variable or `camera` in the file, else by the file's [cameras.NAME]."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from zlfeed.config import Settings
from zlfeed.errors import UsageError
from zlfeed.publisher.camera.source import CameraSpec, parse_camera
from zlfeed.publisher.camera.v4l2 import device_path, same_device


def camera_specs(settings: Settings) -> list[CameraSpec]:
    """The cameras asked for, with the names their streams get. Raises UsageError."""
    specs = list(_asked(settings))
    specs = [replace(spec, once=spec.kind == "file" and settings.of(spec.name).play == "once") for spec in specs]
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two cameras are called {name!r}: give each a name of its own, --camera NAME=SRC")
    for name, own in settings.cameras.items():
        if own.source is None and name not in names:
            raise UsageError(f"[cameras.{name}] has no source, and no --camera is called {name}: add source = …")
    if pair := same_device(specs):
        raise UsageError(f"{pair[0].text} and {pair[1].text} are the same camera: name each camera once")
    named = tuple(device_path(s.target) if s.kind == "device" else s.text for s in specs if s.kind in ("device", "csi"))
    return [replace(spec, besides=named) if spec.kind == "auto" else spec for spec in specs]


def _asked(settings: Settings) -> Iterable[CameraSpec]:
    if settings.cameras and "camera" not in settings.model_fields_set:
        for name in settings.cameras:
            yield _configured(settings, name)
        return
    for index, text in enumerate(settings.camera):
        if text in settings.cameras:  # --camera front: of those in the file only this one
            yield _configured(settings, text)
        else:
            yield parse_camera(text, settings.stream_name if index == 0 else f"{settings.stream_name}{index + 1}")


def _configured(settings: Settings, name: str) -> CameraSpec:
    source = settings.cameras[name].source
    if source is None:
        raise UsageError(f"[cameras.{name}] has no source: add source = 0, say")
    try:
        return parse_camera(f"{name}={source}", name)
    except UsageError as error:
        raise UsageError(f"[cameras.{name}] source: {error}") from None
