"""The encoders that FFmpeg may have, each with what makes it give every frame as soon as it has it. Pure.

Software: measured (docs/encoders.md). Hardware: from FFmpeg's documentation; whether one works here, and holds no
frame back, is found out by a trial (trial.py), never from a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RPICAM = "rpicam"
"""No FFmpeg: a CSI camera's own H.264 (direct.py)."""
RENDER_NODES = "/dev/dri/renderD*"
DEVICE = "{device}"
"""Stands in arguments for the first of the nodes that `needs` names."""


@dataclass(frozen=True, slots=True)
class EncoderKind:
    """One of FFmpeg's encoders.

    `before` are arguments before the input, `filters` before the encoder. `needs` is a pattern of device nodes without
    which trying it is a waste of time ("darwin": that system). `pixels` is empty where the filters settle it. `limits`
    says what keeps its rate constant: `vbv`, maxrate and a buffer of a quarter of a second, or its `own` way.
    """

    name: str
    codec: str
    options: tuple[str, ...]
    pixels: str = "yuv420p"
    before: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    needs: str = ""
    limits: Literal["vbv", "own"] = "vbv"

    def with_preset(self, preset: str) -> tuple[str, ...]:
        """The options with another preset, or what stands for one; as they are where the encoder has none."""
        options = list(self.options)
        for name in ("-preset", "-cpu-used"):
            if preset and name in options:
                options[options.index(name) + 1] = preset
        return tuple(options)

    @property
    def hardware(self) -> bool:
        """Whether it wants a device."""
        return bool(self.needs)


def _nvenc(name: str, codec: str) -> EncoderKind:
    # Without -delay 0 it keeps as many frames as it has surfaces. Forced keyframes are to be IDR pictures.
    low_delay = ("-preset", "p1", "-tune", "ull", "-zerolatency", "1", "-delay", "0", "-rc-lookahead", "0")
    return EncoderKind(name, codec, (*low_delay, "-rc", "cbr", "-forced-idr", "1"), needs="/dev/nvidia[0-9]*")


def _qsv(name: str, codec: str) -> EncoderKind:
    low_delay = ("-preset", "veryfast", "-async_depth", "1", "-low_delay_brc", "1", "-forced_idr", "1")
    return EncoderKind(name, codec, low_delay, pixels="nv12", needs=RENDER_NODES)


def _vaapi(name: str, codec: str) -> EncoderKind:
    return EncoderKind(
        name,
        codec,
        ("-rc_mode", "CBR", "-async_depth", "1"),
        pixels="",
        before=("-vaapi_device", DEVICE),
        filters=("-vf", "format=nv12,hwupload"),
        needs=RENDER_NODES,
    )


def _v4l2m2m(name: str, codec: str) -> EncoderKind:
    # Its parameter sets are known with its first frame only, when the container's header is written: in-band instead.
    return EncoderKind(name, codec, ("-flags", "-global_header"), needs="/dev/video1[0-9]", limits="own")


def _videotoolbox(name: str, codec: str) -> EncoderKind:
    return EncoderKind(name, codec, ("-flags", "+low_delay", "-realtime", "1", "-prio_speed", "1"), needs="darwin")


KINDS: tuple[EncoderKind, ...] = (
    EncoderKind("libx264", "h264", ("-preset", "ultrafast", "-tune", "zerolatency")),
    _nvenc("h264_nvenc", "h264"),
    _videotoolbox("h264_videotoolbox", "h264"),
    _qsv("h264_qsv", "h264"),
    _vaapi("h264_vaapi", "h264"),
    _v4l2m2m("h264_v4l2m2m", "h264"),
    EncoderKind(
        "libx265",
        "h265",
        (
            *("-preset", "ultrafast", "-tune", "zerolatency", "-forced-idr", "1"),
            # A keyframe that was asked for must be one to begin with, whatever was before: IDR, not CRA.
            *("-x265-params", "log-level=error:repeat-headers=1:open-gop=0"),
        ),
    ),
    _nvenc("hevc_nvenc", "h265"),
    _videotoolbox("hevc_videotoolbox", "h265"),
    _qsv("hevc_qsv", "h265"),
    _vaapi("hevc_vaapi", "h265"),
    _v4l2m2m("hevc_v4l2m2m", "h265"),
    # It has a mode of its own for a constant rate (rc=2), and refuses the limits beside it in FFmpeg 5.
    EncoderKind(
        "libsvtav1", "av1", ("-preset", "12", "-svtav1-params", "pred-struct=1:rc=2:rtc=1"), limits="own"
    ),
    EncoderKind(
        "libaom-av1", "av1", ("-usage", "realtime", "-cpu-used", "8", "-lag-in-frames", "0", "-row-mt", "1")
    ),
    _nvenc("av1_nvenc", "av1"),
    _qsv("av1_qsv", "av1"),
    _vaapi("av1_vaapi", "av1"),
)  # fmt: skip
"""By codec the one in software that is the default comes first: where it is quick enough nothing else is tried."""


def kind_of(name: str, codec: str) -> EncoderKind:
    """What is known of an encoder; of one that is not in the list nothing is assumed."""
    return next((kind for kind in KINDS if kind.name == name), EncoderKind(name, codec, ()))


def kinds_for(codec: str) -> list[EncoderKind]:
    """Those that make `codec`."""
    return [kind for kind in KINDS if kind.codec == codec]


def default_name(codec: str) -> str:
    """The encoder in software for `codec`."""
    return kinds_for(codec)[0].name
