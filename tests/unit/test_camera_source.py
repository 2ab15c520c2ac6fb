"""What a person may write after --camera."""

from __future__ import annotations

import pytest

from zlfeed.errors import UsageError
from zlfeed.publisher.camera.source import CameraSpec, parse_camera


@pytest.mark.parametrize(
    ("text", "kind", "target"),
    [
        ("auto", "auto", ""),
        ("test", "test", ""),
        ("0", "device", "0"),
        ("02", "device", "2"),
        ("/dev/video3", "device", "/dev/video3"),
        ("/dev/v4l/by-id/usb-cam-index0", "device", "/dev/v4l/by-id/usb-cam-index0"),
        ("/dev/shm/clip.mp4", "file", "/dev/shm/clip.mp4"),
        ("csi", "csi", "0"),
        ("csi:1", "csi", "1"),
        ("clip.mp4", "file", "clip.mp4"),
        ("a folder/clip (1).mp4", "file", "a folder/clip (1).mp4"),
        ("C:\\clips\\a.mp4", "file", "C:\\clips\\a.mp4"),
        ("rtsp://cam.local/stream", "rtsp", "rtsp://cam.local/stream"),
        ("rtsp://u:p@10.0.0.2:554/a?b=c", "rtsp", "rtsp://u:p@10.0.0.2:554/a?b=c"),
        ("rtsp://[fe80::1]:8554/x", "rtsp", "rtsp://[fe80::1]:8554/x"),
        ("rtsps://cam/x", "rtsp", "rtsps://cam/x"),
    ],
)
def test_a_source_is_recognised_by_its_form(text: str, kind: str, target: str) -> None:
    assert parse_camera(text, "cam") == CameraSpec("cam", kind, target)


def test_a_name_goes_before_an_equals_sign() -> None:
    assert parse_camera("front=0", "cam") == CameraSpec("front", "device", "0")
    assert parse_camera("back.door=rtsp://h/p?a=b", "cam") == CameraSpec("back.door", "rtsp", "rtsp://h/p?a=b")
    assert parse_camera(" porch = test ".replace(" = ", "="), "cam") == CameraSpec("porch", "test", "")


def test_an_equals_sign_inside_a_path_is_no_name() -> None:
    assert parse_camera("./a=b.mp4", "cam") == CameraSpec("cam", "file", "./a=b.mp4")
    assert parse_camera("rtsp://h/p?a=b", "cam").kind == "rtsp"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no source"),
        ("front=", "names no source"),
        ("-1", "counted from 0"),
        ("csi:", "csi:0"),
        ("csi:x", "csi:0"),
        ("http://cam/x", "cannot read http://"),
        ("rtsp://", "no RTSP URL"),
        ("rtsp:///x", "no RTSP URL"),
        ("rtsp://host:port/x", "no RTSP URL"),
        ("rtsp://fe80::1/x", "no RTSP URL"),
    ],
)
def test_what_is_no_source_is_refused_with_a_hint(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_camera(text, "cam")


def test_the_text_for_people_hides_the_password() -> None:
    assert parse_camera("rtsp://u:secret@h/p", "cam").text == "rtsp://***@h/p"
    assert parse_camera("csi:1", "cam").text == "csi:1"
    assert parse_camera("test", "cam").text == "test"
