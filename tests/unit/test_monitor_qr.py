from __future__ import annotations

import numpy as np
import pytest

from zlfeed.monitor import qr

cv2 = pytest.importorskip("cv2")


def read(modules: qr.Modules) -> str:
    """What a reader that knows nothing of us sees."""
    picture = np.where(np.pad(np.array(modules), 4), 0, 255).astype(np.uint8)
    picture = cv2.resize(picture, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
    return str(cv2.QRCodeDetector().detectAndDecode(picture)[0])


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "http://10.0.0.1:8889/",
        "http://192.168.1.7:8889/zerolatency",
        "http://[2001:db8:85a3::8a2e:370:7334]:8889/zerolatency",
        "https://a-publisher-with-a-long-name.example.org:8889/and-a-stream-with-one-too",
        "é" * 53,
        "y" * 106,
    ],
)
def test_another_reader_reads_it(text: str) -> None:
    modules = qr.encode(text)
    assert modules is not None
    assert read(modules) == text


def test_what_is_too_long_is_none() -> None:
    assert qr.encode("y" * 107) is None


def test_the_smallest_version_is_taken() -> None:
    sizes = [len(qr.encode("y" * length) or []) for length in (17, 18, 32, 33, 53, 54, 78, 79, 106)]
    assert sizes == [21, 25, 25, 29, 29, 33, 33, 37, 37]
