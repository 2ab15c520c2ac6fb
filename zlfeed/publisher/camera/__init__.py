"""Cameras, each in a process of its own: `CameraProcess.start(parse_camera("0", "front"), …)`."""

from zlfeed.publisher.camera.process import CameraProcess
from zlfeed.publisher.camera.records import ControlSet
from zlfeed.publisher.camera.source import DEFAULT_FPS, CameraSpec, FrameInfo, Opened, parse_camera

__all__ = ["DEFAULT_FPS", "CameraProcess", "CameraSpec", "ControlSet", "FrameInfo", "Opened", "parse_camera"]
