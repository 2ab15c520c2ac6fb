"""An OpenCV viewer: `python -m zlfeed.bench.programs.opencv_viewer URL SECONDS OPENINGS THREADS OPTIONS`.

It opens the URL as most programs do: `cv2.VideoCapture(URL)`. THREADS sets the number of decoder threads and OPTIONS is
OPENCV_FFMPEG_CAPTURE_OPTIONS; 0 and an empty string leave them as they come. With OPENINGS other than 0 it opens the
stream so many times, and reads each time until the picture is live.
"""

from __future__ import annotations

import os
import random
import sys
import time

import cv2

from zlfeed.bench.programs.viewing import Recorder, finish


def look(url: str, seconds: float, threads: int) -> Recorder:
    """One opening: reads until the recorder has enough or the stream ends."""
    recorder = Recorder(seconds)
    if threads:
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
    else:
        capture = cv2.VideoCapture(url)
    try:
        while True:
            ok, picture = capture.read()
            if not ok or not recorder.take(picture):
                return recorder
    finally:
        capture.release()


def main() -> None:
    """Looks, and says what it saw."""
    url, seconds, openings, threads, options = sys.argv[1:]
    if options:
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = options
    if not int(openings):
        finish(**look(url, float(seconds), int(threads)).report())
        return
    reports = []
    for _ in range(int(openings)):
        # Anywhere in a group of pictures.
        time.sleep(random.uniform(0.3, 1.3))
        reports.append(look(url, 0, int(threads)).report())
    finish(openings=reports)


if __name__ == "__main__":
    main()
