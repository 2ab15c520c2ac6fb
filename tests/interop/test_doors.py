"""Every door with no token, a wrong one, a stale one, the other role's, the right one, by clients of every kind; a
stranger's video; floods of guesses, of broken messages, of handshakes that do not end. One publisher for all of it.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.browser import browsing
from tests.support.commands import Running
from tests.support.players import hashes, watch
from tests.support.status_fuzz import conversation
from tests.support.watching import Watcher, opencv
from zlfeed.doorway import LOCAL_RESERVE
from zlfeed.model import CameraStatus, ControlResult, Hello, Ping, Pong, SetControl, Welcome
from zlfeed.publisher.status.server import DOORWAY
from zlfeed.publisher.status.session import READ_ONLY
from zlfeed.receiver.describe import Description, describe
from zlfeed.receiver.target import parse
from zlfeed.wire.close import CloseCode
from zlfeed.wire.convert import decode, encode

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="publish does not run on Windows"),
]
MAIN, LOOK, WRONG, NEXT = "main-token_1~", "look-token_2~", "wrong-token_3~", "next-token_4~"
BAD = f"closed {CloseCode.BAD_TOKEN.value}"


@dataclass
class Doors:
    """A publisher that asks everyone, on this machine too."""

    running: Running
    rtsp: str
    status: str
    folder: Path

    def describe(self, token: str = "") -> Description:
        return describe(parse(self.rtsp, rtsp_port=0, stream_name="").with_token(token), 20)

    def with_token(self, token: str) -> str:
        return self.rtsp.replace("://", f"://viewer:{token}@")

    @contextlib.contextmanager
    def client(self, token: str, source: str = "127.0.0.1") -> Iterator[ClientConnection]:
        """A status client that has said its Hello."""
        with connect(
            self.status, proxy=None, compression=None, max_size=None, open_timeout=20, close_timeout=1,
            source_address=(source, 0),
        ) as connection:  # fmt: skip
            connection.send(encode(Hello(token, "test")))
            yield connection

    def role(self, token: str, source: str = "127.0.0.1") -> str:
        """What a Hello with that token comes to: a role, or why not."""
        with self.client(token, source) as connection:
            try:
                welcome = decode(bytes(connection.recv(timeout=60)))  # type: ignore[arg-type] # a guess waits its turn
            except ConnectionClosed as closed:
                return f"closed {closed.rcvd.code if closed.rcvd else '–'}"
            assert isinstance(welcome, Welcome)
            return welcome.role


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("doors")
    (folder / "token").write_text(MAIN)
    (folder / "look").write_text(LOOK)
    arguments = ("--camera", "test", "--json", "--server", "embedded", "--host", "127.0.0.1")
    tokens = ("--token-file", str(folder / "token"), "--readonly-token-file", str(folder / "look"))
    with Running("publish", *arguments, *tokens, "--rtsp-port", "0", "--websocket-port", "0") as running:
        urls = running.line("ready")["urls"]
        yield Doors(running, urls["rtsp"], urls["websocket"], folder)
        said = "".join(running.out) + running.words
        shown_by_ps = " ".join(" ".join(process.cmdline()) for process in running.processes())
        for token in (MAIN, LOOK, WRONG, NEXT):
            assert token not in said
            assert token not in shown_by_ps


def test_both_tokens_open_both_doors_and_no_other_does(doors: Doors) -> None:
    assert [doors.role(token) for token in (MAIN, LOOK, WRONG, "")] == ["control", "view", BAD, BAD]
    found = [doors.describe(token) for token in (MAIN, LOOK, WRONG, "")]
    assert [answer.ok for answer in found] == [True, True, False, False]
    assert "refuses the token" in found[2].sentence
    assert found[3].wants_token


@pytest.mark.needs("ffprobe")
def test_ffprobe_is_let_in_by_either_token_and_told_401_without(doors: Doors) -> None:
    for token, may in ((MAIN, True), (LOOK, True), (WRONG, False), ("", False)):
        done = probe(doors.with_token(token) if token else doors.rtsp)
        assert (done.returncode == 0) is may
        assert ("401" in done.stderr) is not may


def probe(url: str) -> subprocess.CompletedProcess[str]:
    """ffprobe's opinion of a URL."""
    return subprocess.run(
        ["ffprobe", "-v", "error", url],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("player", "right", "not_right"),
    [
        pytest.param("ffmpeg-tcp", MAIN, "", marks=pytest.mark.needs("ffmpeg")),
        pytest.param("ffmpeg-udp", LOOK, "", marks=pytest.mark.needs("ffmpeg")),
        pytest.param("opencv", MAIN, WRONG),
        pytest.param("gstreamer-tcp", LOOK, WRONG, marks=pytest.mark.needs("gst-launch-1.0")),
        pytest.param("mpv", MAIN, "", marks=pytest.mark.needs("mpv")),
    ],
)
def test_players_see_pictures_by_a_token_and_nothing_else(
    doors: Doors, player: str, right: str, not_right: str
) -> None:
    seen = watch(player, doors.with_token(right), 8)
    assert len(set(hashes(seen.stdout))) >= 6, seen.stderr[-2000:]
    refused = watch(player, doors.with_token(not_right) if not_right else doors.rtsp, 8)
    assert hashes(refused.stdout) == []
    assert refused.returncode != 0 or player == "mpv"


def test_who_may_only_look_sets_nothing(doors: Doors) -> None:
    for token, may in ((LOOK, False), (MAIN, True)):
        with doors.client(token) as connection:
            connection.send(encode(SetControl("zerolatency", "bitrate", "500", 7)))
            while not isinstance(result := decode(bytes(connection.recv(timeout=20))), ControlResult):  # type: ignore[arg-type]
                pass
            assert (result.ok, result.text == READ_ONLY) == (may, not may), result


@pytest.mark.needs("chromium")
def test_a_page_comes_in_by_our_own_address_with_a_token_and_one_from_elsewhere_never(doors: Doors) -> None:
    def tries(token: str) -> str:
        hello = base64.b64encode(encode(Hello(token, "page"))).decode()
        return f"""new Promise(done => {{
            const socket = new WebSocket({doors.status!r});
            socket.onopen = () => socket.send(Uint8Array.from(atob({hello!r}), sign => sign.charCodeAt(0)));
            socket.onmessage = () => {{ done("welcome"); socket.close(); }};
            socket.onclose = event => done("closed " + event.code);
        }})"""

    with browsing() as page:
        assert page.run(tries(MAIN)) == "closed 1006", "a page of another site, whatever token it knows"
        page.open(doors.status.replace("ws://", "http://"))
        page.until("location.protocol == 'http:'")
        assert page.run(tries(MAIN)) == "welcome"
        assert page.run(tries(LOOK)) == "welcome"
        assert page.run(tries(WRONG)) == BAD
        assert page.run(tries("")) == BAD


@pytest.mark.needs("ffmpeg")
def test_a_stranger_s_video_has_no_door(doors: Doors) -> None:
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=d=1", "-f", "rtsp", "-rtsp_transport",
         "tcp", doors.with_token(MAIN)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "405" in done.stderr


def test_a_flood_of_guesses_is_its_own_address_s_trouble(doors: Doors) -> None:
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        outcomes = [pool.submit(doors.role, WRONG, "127.0.0.3") for _ in range(60)]
        time.sleep(0.5)
        began = time.monotonic()
        assert doors.role(MAIN, "127.0.0.4") == "control"
        assert doors.describe(MAIN).ok
        assert time.monotonic() - began < 15
        codes = [outcome.result() for outcome in outcomes]
    assert set(codes) == {BAD, f"closed {CloseCode.TRY_LATER.value}"}
    assert codes.count(BAD) < 20, "most were not even looked at"
    frames = doors.running.line("second")["frames_sent"]
    assert doors.running.line("second")["frames_sent"] > frames


def fuzz(url: str, source: str, count: int, seed: int) -> None:
    """So many clients one after another, of which each says ten broken things; what they are told they do not read."""
    rng = random.Random(seed)
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 0
    hello = encode(Hello(LOOK, "fuzz"))
    for _ in range(count):
        with contextlib.suppress(OSError), socket.create_connection((host, port), 20, (source, 0)) as sock:
            sock.sendall(conversation(rng, hello, 10))
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1 << 16):
                pass


def test_thousands_of_broken_messages_cost_the_others_nothing(doors: Doors) -> None:
    """On the status port of a publisher that people watch: a player's pictures, a monitor's figures and its clock."""
    each = int(os.environ.get("ZLFEED_FUZZ", "3000")) // 20
    with doors.client(MAIN) as monitor, Watcher(opencv(doors.with_token(LOOK))) as watcher:
        watcher.first(30)
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            floods = [pool.submit(fuzz, doors.status, f"127.0.0.{5 + n}", each, 20261128 + n) for n in range(2)]
            asked, answered, statuses = 0, 0, 0
            while not all(flood.done() for flood in floods) or answered < 10:
                monitor.send(encode(Ping(asked, 1)))
                asked += 1
                while not isinstance(message := decode(bytes(monitor.recv(timeout=20))), Pong):  # type: ignore[arg-type]
                    statuses += isinstance(message, CameraStatus)
                answered += 1
                time.sleep(0.05)
            for flood in floods:
                flood.result()
        ended = time.monotonic()
        watcher.past(ended)
        assert statuses > 0
        assert watcher.alive
        # What a busy machine leaves out is its own matter; a server that a message stops would stand still here.
        assert watcher.gap_ms(began, ended) < 2000
    assert doors.role(MAIN) == "control"
    assert "Traceback" not in doors.running.words
    assert "status_session_failed" not in doors.running.words


def test_handshakes_that_do_not_end_have_only_so_many_places(doors: Doors) -> None:
    host, port = urlsplit(doors.status).hostname or "", urlsplit(doors.status).port or 0
    with contextlib.ExitStack() as stack:
        count = DOORWAY.total + LOCAL_RESERVE + 40
        silent = [stack.enter_context(socket.create_connection((host, port), 20)) for _ in range(count)]
        for sock in silent:
            sock.setblocking(False)
        until = time.monotonic() + 30
        while "connections_cut" not in doors.running.words:
            assert time.monotonic() < until, "all have a place"
            time.sleep(0.05)
        while not all(gone(sock) for sock in silent):
            assert time.monotonic() < until, "each has its time, and no longer"
            time.sleep(0.05)
    assert doors.role(MAIN) == "control"


def gone(sock: socket.socket) -> bool:
    """Whether the other side has closed."""
    try:
        return sock.recv(1 << 12) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.needs("ffmpeg")
def test_a_new_token_is_taken_while_it_runs_and_sends_away_who_came_by_the_old_one(doors: Doors) -> None:
    player = subprocess.Popen(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", doors.with_token(MAIN), "-f", "null", "-"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not doors.running.line("second")["viewers"]:
            assert time.monotonic() < deadline
        with doors.client(MAIN) as old, doors.client(LOOK) as looker:
            assert isinstance(decode(bytes(old.recv(timeout=20))), Welcome)  # type: ignore[arg-type]
            assert isinstance(decode(bytes(looker.recv(timeout=20))), Welcome)  # type: ignore[arg-type]
            (doors.folder / "token").write_text(NEXT)
            doors.running.process.send_signal(signal.SIGHUP)
            with contextlib.suppress(ConnectionClosed):
                while True:
                    old.recv(timeout=20)
            assert (old.close_code, old.close_reason) == (CloseCode.BAD_TOKEN, "it has been changed")
            assert player.wait(20) is not None
            while not isinstance(decode(bytes(looker.recv(timeout=20))), CameraStatus):  # type: ignore[arg-type]
                pass
    finally:
        player.kill()
        player.wait(10)
    assert [doors.role(token) for token in (MAIN, NEXT, LOOK)] == [BAD, "control", "view"]
    assert [probe(doors.with_token(token)).returncode == 0 for token in (MAIN, NEXT, LOOK)] == [False, True, True]
    assert urlsplit(doors.rtsp).username is None
