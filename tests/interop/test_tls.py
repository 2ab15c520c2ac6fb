"""TLS at our doors: players with a right token, a wrong one, and none; another machine, by fingerprint."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import video_page
from tests.support.browser import browsing
from tests.support.commands import Running
from tests.support.netns import PUBLISHER, VIEWER, two_hosts
from tests.support.players import hashes, watch
from zlfeed import certificates, tls
from zlfeed.tls import Pair

pytestmark = pytest.mark.timeout(120)
TOKEN, LOOK = "let-me-in_please.7", "only-to-look.8"
PLAYERS = [
    pytest.param("ffmpeg-tcp", marks=pytest.mark.needs("ffmpeg")),
    pytest.param("opencv"),
    pytest.param("gstreamer-tls", marks=pytest.mark.needs("gst-launch-1.0")),
    pytest.param("mpv", marks=pytest.mark.needs("mpv")),
]


@dataclass
class Secrets:
    """What a publisher is started with."""

    files: Pair
    folder: Path

    @property
    def arguments(self) -> tuple[str, ...]:
        return (
            "--tls-cert", str(self.files.cert), "--tls-key", str(self.files.key),
            "--token-file", str(self.folder / "token"), "--readonly-token-file", str(self.folder / "look"),
        )  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    folder = tmp_path_factory.mktemp("tls")
    files = Pair(folder / "cert.pem", folder / "key.pem")
    certificates.make(files, ["localhost", "127.0.0.1", PUBLISHER])
    (folder / "token").write_text(TOKEN + "\n")
    (folder / "look").write_text(LOOK + "\n")
    return Secrets(files, folder)


@pytest.fixture(scope="module")
def port(kept: Secrets) -> Iterator[int]:
    """Where RTSP is spoken by TLS, on this machine, which is asked for the token too."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        free = int(sock.getsockname()[1])
    arguments = ("publish", "--camera", "test", "--json", "--server", "embedded", "--host", "127.0.0.1")
    ports = ("--rtsp-port", "0", "--websocket-port", "0", "--rtsps-port", str(free))
    with Running(*arguments, *ports, *kept.arguments) as running:
        running.line("ready")
        yield free
        said = "".join(running.out) + running.words
        assert TOKEN not in said
        assert LOOK not in said


def url(port: int, token: str = "") -> str:
    return f"rtsps://{f'viewer:{token}@' if token else ''}127.0.0.1:{port}/zerolatency"


@pytest.mark.parametrize("player", PLAYERS)
def test_a_player_sees_pictures_with_a_token_and_nothing_without(player: str, port: int) -> None:
    done = watch(player, url(port, LOOK if player == "opencv" else TOKEN), 5)
    assert len(hashes(done.stdout)) >= 4, done.stderr[-2000:]
    done = watch(player, url(port, "let-me-in_please.8~" if player == "opencv" else ""), 5)
    assert hashes(done.stdout) == []
    assert done.returncode != 0 or player == "mpv"


def asked(port: int, *headers: str, transport: str = "", method: str = "DESCRIBE") -> str:
    """The first bytes of what is answered to a request by TLS."""
    context = tls.Trust().context("127.0.0.1")
    lines = [f"{method} {url(port)} RTSP/1.0", "CSeq: 1", *headers, *([f"Transport: {transport}"] if transport else [])]
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as sock:
        sock.sendall("\r\n".join([*lines, "", ""]).encode())
        return sock.recv(4096).decode()


def basic(token: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"viewer:{token}".encode()).decode()


def test_over_tls_basic_will_do_and_nothing_goes_beside_it(port: int) -> None:
    assert asked(port).count("WWW-Authenticate: ") == 2
    assert " 200 OK" in asked(port, basic(TOKEN))
    assert " 200 OK" in asked(port, basic(LOOK))
    assert " 401 " in asked(port, basic("wrong-token-1"))
    udp = "RTP/AVP;unicast;client_port=5000-5001"
    assert " 461 " in asked(port, basic(TOKEN), transport=udp, method="SETUP")
    assert " 405 " in asked(port, basic(TOKEN), "Content-Type: application/sdp", method="ANNOUNCE")


def test_who_does_not_speak_tls_gets_no_answer(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        assert b"RTSP" not in sock.recv(4096)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", port), 10) as plain, old.wrap_socket(plain) as sock:
        assert sock.version() == "TLSv1.2"


@pytest.mark.needs("mediamtx", "curl")
def test_browsers_come_by_https_with_either_token(kept: Secrets) -> None:
    arguments = ("publish", "--camera", "test", "--json", "--host", "127.0.0.1", "--rtsps-port", "0")
    ports = ("--rtsp-port", "0", "--websocket-port", "0", "--hls-port", "0", "--webrtc-port", "0")
    with Running(*arguments, *ports, *kept.arguments) as running:
        urls = running.line("ready")["urls"]
        answers = {
            (kind, token): curl(f"{urls[kind]}{page}", token)
            for kind, page in (("webrtc", ""), ("hls", "/index.m3u8"))
            for token in (TOKEN, LOOK, "wrong-token-1", "")
        }
        shown_by_ps = " ".join(" ".join(process.cmdline()) for process in running.processes())
        assert TOKEN not in shown_by_ps
        assert LOOK not in shown_by_ps
    assert {url.partition("://")[0] for url in (urls["webrtc"], urls["hls"])} == {"https"}
    assert {key: code for key, code in answers.items() if code == "200"}.keys() == {
        (kind, token) for kind in ("webrtc", "hls") for token in (TOKEN, LOOK)
    }


@pytest.mark.needs("mediamtx", "chromium")
def test_the_page_comes_by_https_too(kept: Secrets) -> None:
    arguments = ("publish", "--camera", "test", "--json", "--host", "127.0.0.1", "--rtsps-port", "0")
    ports = ("--rtsp-port", "0", "--websocket-port", "0", "--hls-port", "0", "--webrtc-port", "0")
    with Running(*arguments, *ports, *kept.arguments) as running, browsing() as page:
        url = running.line("ready")["urls"]["page"]
        assert url.startswith("https://")
        page.call("Security.setIgnoreCertificateErrors", ignore=True)  # as a person who was shown the fingerprint
        page.open(url)
        page.until("document.getElementById('door').hidden === false")
        video_page.fill(page, LOOK)
        page.until(video_page.PLAYS)


def curl(page: str, token: str) -> str:
    """The status of a page, by a client that does not know the certificate's signer."""
    login = ["--user", f"viewer:{token}"] if token else []
    done = subprocess.run(
        ["curl", "-s", "-k", "-L", "-o", os.devnull, "-w", "%{http_code}", "--noproxy", "*", *login, page],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return done.stdout


# ------------------------------------------------------------ another machine


def start(wrapper: Sequence[str], home: Path, *arguments: str) -> subprocess.Popen[str]:
    """`zlfeed …` there, which knows the token by its environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZLFEED_")}
    env = {**clean, "HOME": str(home), "XDG_STATE_HOME": str(home), "XDG_CONFIG_HOME": str(home), "ZLFEED_TOKEN": TOKEN}
    return subprocess.Popen(
        [*wrapper, sys.executable, "-P", "-m", "zlfeed", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=home,
    )  # fmt: skip


@pytest.mark.needs("ip")
def test_another_machine_comes_by_tls_if_it_may_and_knows_the_publisher_by_its_fingerprint(
    kept: Secrets, tmp_path: Path
) -> None:
    shown = tls.file_fingerprint(kept.files.cert)
    other = tls.fingerprint(b"another certificate")
    with two_hosts() as hosts:
        publish = ("publish", "--camera", "test", "--json", "--server", "embedded", "--allow", f"{VIEWER}/32")
        with Running(*publish, *kept.arguments, "--advertise", PUBLISHER, wrapper=hosts.publisher) as running:
            urls: dict[str, Any] = running.line("ready")["urls"]
            assert urls["rtsp"] == f"rtsps://{PUBLISHER}:8322/zerolatency"
            assert urls["websocket"] == f"wss://{PUBLISHER}:9000/"
            there = hosts.viewer
            # The host is enough: with a fingerprint it is TLS, at both doors.
            receive = start(
                there, tmp_path, "receive", PUBLISHER, "--fingerprint", shown, "--headless", "--json", "--duration", "5"
            )
            monitor = start(there, tmp_path, "monitor", urls["websocket"], "--once", "--fingerprint", shown)
            out, said = receive.communicate(timeout=60)
            assert receive.returncode == 0, said
            summary = json.loads(out.splitlines()[-1])
            assert summary["frames"] > 5
            assert summary["clock_offset_ms"] is not None, said
            _, said = monitor.communicate(timeout=60)
            assert monitor.returncode == 0, said

            # Another certificate, none that is trusted, no TLS: each tried at both doors. Then from an address that
            # may not come.
            tried = ("receive", urls["rtsp"], "--test-connection")
            doubts = [start(there, tmp_path, *tried, "--fingerprint", other), start(there, tmp_path, *tried)]
            for doubt, words in zip(doubts, ("another certificate", "is not trusted"), strict=True):
                out, said = doubt.communicate(timeout=60)
                assert doubt.returncode == 3
                assert out.count(words) == 2, out + said
            assert not reaches(there, PUBLISHER, 8554), "without TLS there is no way in from there"
            assert reaches(hosts.publisher, "127.0.0.1", 8554), "and one from here"
            hosts.viewer_comes_from("10.9.0.77")
            stranger = start(there, tmp_path, *tried, "--fingerprint", shown)
            out, said = stranger.communicate(timeout=60)
            assert stranger.returncode == 3, out + said
            assert "10.9.0.77 was turned away" in running.line("event", code="viewer_refused")["text"]
            shown_by_ps = " ".join(" ".join(process.cmdline()) for process in running.processes())
            assert TOKEN not in shown_by_ps


def reaches(wrapper: Sequence[str], host: str, port: int) -> bool:
    """Whether a connection comes about, from there."""
    script = f"import socket; socket.create_connection(({host!r}, {port}), 5)"
    done = subprocess.run([*wrapper, sys.executable, "-c", script], capture_output=True, timeout=30, check=False)
    return done.returncode == 0
