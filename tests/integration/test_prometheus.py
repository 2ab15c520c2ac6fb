"""The real Prometheus scrapes a publisher that is watched, and answers; /healthz follows the camera."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Running, publishing, receiving
from tests.unit.test_exporter import expressions
from zlfeed.pdeath import with_parent

WITHIN_S = 30.0


@pytest.fixture(scope="module")
def feed() -> Iterator[tuple[Running, str]]:
    """A publisher with a viewer, and where its figures are. Its second camera is away."""
    cameras = ("--camera", "front=test", "--camera", "back=/dev/video77", "--wait-camera", "--fps", "15")
    with publishing("--metrics-port", "0", *cameras) as publisher:
        url = publisher.line("event", code="metrics_ready")["text"].rpartition(": ")[2]
        with receiving(publisher.line("ready", camera="front")["urls"]) as viewer:
            viewer.line("second", state="live")
            yield publisher, url


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_what_is_asked_is_answered(feed: tuple[Running, str]) -> None:
    url = feed[1]
    status, text = get(url)
    assert status == 200
    assert re.search(r'zlfeed_fps\{camera="front"\} [\d.]+', text)
    assert get(url.replace("metrics", "secrets"))[0] == 404


def test_without_a_camera_it_is_not_well_and_says_why(feed: tuple[Running, str]) -> None:
    status, text = get(feed[1].replace("metrics", "healthz"))
    assert status == 503
    front, back = text.splitlines()
    assert front == "front: ok"
    assert back.startswith("back: no signal, a slate is shown: ")
    assert "/dev/video77" in back


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 "),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 "),
        (b"\x00\xff\r\n\r\n", b"HTTP/1.1 405 "),
        (b"GET /metrics HTTP/1.1\r\n" + b"x" * 20_000, b""),
    ],
)
def test_whatever_is_said_costs_nothing(feed: tuple[Running, str], said: bytes, answer: bytes) -> None:
    address = urllib.parse.urlsplit(feed[1])
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 0), timeout=10) as client:
        client.sendall(said)
        try:
            found = client.recv(1000)
        except ConnectionResetError:
            found = b""
    assert found.startswith(answer)
    assert bool(found) == bool(answer)


@pytest.fixture(scope="module")
def prometheus(feed: tuple[Running, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a Prometheus answers that scrapes the publisher each second."""
    folder = tmp_path_factory.mktemp("prometheus")
    target = urllib.parse.urlsplit(feed[1]).netloc
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n"
        f"  - job_name: zlfeed\n    static_configs: [{{targets: ['{target}']}}]\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("there is no prometheus")
    command = [
        program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(with_parent(command), stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def query(prometheus: str, expression: str) -> list[dict[str, object]]:
    """The series that it answers with, once there are any."""
    deadline = time.monotonic() + WITHIN_S
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    while time.monotonic() < deadline:
        try:
            found = json.loads(get(url)[1])
        except OSError:
            found = {"status": "starting"}
        assert found["status"] in ("success", "starting"), found
        if found["status"] == "success" and found["data"]["result"]:
            return list(found["data"]["result"])
        time.sleep(0.3)
    raise AssertionError(f"no answer to {expression} within {WITHIN_S:g} s")


@pytest.mark.needs("prometheus")
def test_prometheus_scrapes_it_and_answers(prometheus: str) -> None:
    (fps,) = query(prometheus, 'zlfeed_fps{camera="front"}')
    assert 0 < float(fps["value"][1]) < 60  # type: ignore[index]
    (median,) = query(
        prometheus, "histogram_quantile(0.5, sum by (le) (rate(zlfeed_viewer_latency_seconds_bucket[10s]))) > 0"
    )
    assert 0 < float(median["value"][1]) < 2  # type: ignore[index]


@pytest.mark.needs("prometheus")
def test_every_question_of_the_dashboard_is_one_for_prometheus(prometheus: str) -> None:
    query(prometheus, "zlfeed_uptime_seconds")
    for expression in expressions():
        plain = expression.replace("$camera", ".*").replace("$instance", ".*")
        plain = plain.replace("$__rate_interval", "1m").replace("$__range", "1m")
        status, text = get(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': plain})}")
        assert (status, json.loads(text)["status"]) == (200, "success"), (expression, text)


@pytest.mark.needs("promtool")
def test_promtool_finds_nothing_wrong_with_what_we_ship() -> None:
    config = Path(__file__).parents[2] / "contrib" / "prometheus" / "prometheus.yml"
    done = subprocess.run(
        ["promtool", "check", "config", config], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
