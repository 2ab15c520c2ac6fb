"""Every door with no token, a wrong one, a stale one, the other role's, the right one; a stranger's video; a flood."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import signal
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
from zlfeed.model import CameraStatus, ControlResult, Hello, SetControl, Welcome
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
                welcome = decode(bytes(connection.recv(timeout=20)))  # type: ignore[arg-type]
            except ConnectionClosed as closed:
                return f"closed {closed.rcvd.code if closed.rcvd else '–'}"
            assert isinstance(welcome, Welcome)
            return welcome.role


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("doors")
    (folder / "token").write_text(MAIN)
    (folder / "look").write_text(LOOK)
    arguments = ("--camera", "test", "--json", "--server", "embedded", "--host", "127.0.0.1", "--fps", "10")
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
        outcomes = [pool.submit(doors.role, WRONG, "127.0.0.3") for _ in range(80)]
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
    assert [doors.describe(token).ok for token in (MAIN, NEXT, LOOK)] == [False, True, True]
    assert urlsplit(doors.rtsp).username is None
