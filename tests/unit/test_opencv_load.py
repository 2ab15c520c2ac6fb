"""What a person reads when OpenCV cannot be loaded, and that loading it leaves the environment of children alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zlfeed import opencv

_LOAD = """
from zlfeed import opencv, errors
for attempt in range(2):
    try:
        opencv.load_cv2()
    except errors.StartError as error:
        print(int(error.exit_code), error)
"""


def _load_with(tmp_path: Path, body: str) -> list[str]:
    package = tmp_path / "cv2"
    package.mkdir()
    (package / "__init__.py").write_text(body)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", _LOAD], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_missing_libgl_names_the_packages_every_time(tmp_path: Path) -> None:
    lines = _load_with(
        tmp_path,
        "import sys\n"
        "if hasattr(sys, 'OpenCV_LOADER'): raise ImportError('recursion is detected')\n"
        "sys.OpenCV_LOADER = True\n"
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')\n",
    )
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("3 OpenCV cannot be loaded: the library libGL.so.1 is missing.")
        assert line.endswith("sudo apt install libgl1 libglib2.0-0")


@pytest.mark.parametrize(
    ("reason", "platform", "words"),
    [
        ("libSM.so.6: cannot open shared object file: No such file", "linux", "install libsm6 libgl1 libglib2.0-0"),
        ("libfoo.so.2: cannot open shared object file: No such file", "linux", "libfoo.so.2 is missing"),
        ("No module named 'cv2'", "linux", "pip install opencv-python"),
        ("DLL load failed while importing cv2", "win32", "Visual C++"),
        ("numpy ABI\nmismatch", "linux", "numpy ABI mismatch"),
        ("", "linux", "no reason given"),
    ],
)
def test_each_reason_gets_one_line_with_a_cure(reason: str, platform: str, words: str) -> None:
    sentence = opencv.explain(reason, platform)
    assert words in sentence
    assert "\n" not in sentence


def test_loading_leaves_the_library_path_of_children_alone() -> None:
    before = os.environ.get("LD_LIBRARY_PATH")
    assert opencv.load_cv2().__name__ == "cv2"
    assert os.environ.get("LD_LIBRARY_PATH") == before
