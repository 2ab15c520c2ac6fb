"""`zlfeed mediamtx install` against a web server of our own: what goes well, and everything that does not."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import platform
import shutil
import socket
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.commands import Running
from tests.support.media_server import free_port
from zlfeed.errors import StartError
from zlfeed.publisher.mediamtx import fetch, release
from zlfeed.publisher.mediamtx.install import install, unpack

VERSION = "v1.20.9"
PLATFORM = release.platform_name(sys.platform, platform.machine())
NAME = release.archive_name(VERSION, PLATFORM)
PADDING = 300_000


def program(version: str) -> bytes:
    """A MediaMTX that knows its version, and too little compressible to be small."""
    return f"#!/bin/sh\necho {version}\nexit 0\n".encode() + os.urandom(PADDING)


def archive(*files: tuple[str, bytes]) -> bytes:
    """A release's archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as folder:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            folder.addfile(member, io.BytesIO(data))
    return out.getvalue()


@dataclass
class Web:
    """A web server: `files` by path; `cut` bytes are sent of an archive at most; `ranges` are understood or not."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut: int | None = None
    ranges: bool = True
    status: int | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """(path, Range)"""
    port: int = 0

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self.port}/releases"

    def release(self, data: bytes, version: str = VERSION, listing: str | None = None) -> None:
        """Offers an archive, with the right checksum unless `listing` says another."""
        name = release.archive_name(version, PLATFORM)
        listing = f"{hashlib.sha256(data).hexdigest()} *{name}\n" if listing is None else listing
        self.files[f"/releases/{version}/{name}"] = data
        self.files[f"/releases/{version}/checksums.sha256"] = listing.encode()

    def ranges_asked(self) -> list[str | None]:
        """The Range of each request for an archive."""
        return [wanted for path, wanted in self.asked if not path.endswith(".sha256")]


@pytest.fixture
def web() -> Iterator[Web]:
    site = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append((self.path, self.headers["Range"]))
            data = site.files.get(self.path)
            if site.status or data is None:
                self.send_error(site.status or 404)
                return
            start = 0
            if site.ranges and (wanted := self.headers["Range"]):
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(data):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            end = len(data) if site.cut is None or self.path.endswith(".sha256") else start + site.cut
            with contextlib.suppress(ConnectionError):
                self.wfile.write(data[start:end])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield site
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "zlfeed" / "mediamtx"


def refused(web: Web, version: str = VERSION) -> str:
    """What is said when it cannot be installed, in one line."""
    with pytest.raises(StartError) as caught:
        install(version, web.url)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(folder: Path) -> list[str]:
    """What is in the data folder."""
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def before(web: Web, folder: Path) -> bytes:
    """A version that was installed before."""
    old = program("v1.20.0")
    web.release(archive(("mediamtx", old)), "v1.20.0")
    install("v1.20.0", web.url)
    return old


# ---------------------------------------------------------------- what goes well


def test_the_program_is_installed_and_nothing_else(web: Web, folder: Path) -> None:
    data = program(VERSION)
    web.release(archive(("mediamtx", data), ("mediamtx.yml", b"paths:\n"), ("LICENSE", b"MIT")))
    told: list[tuple[int, int | None]] = []
    path, new = install("1.20.9", web.url, lambda done, total: told.append((done, total)))
    assert (path, new) == (folder / "mediamtx", True)
    assert path.read_bytes() == data
    assert os.access(path, os.X_OK)
    assert names(folder) == ["mediamtx"]
    size = len(web.files[f"/releases/{VERSION}/{NAME}"])
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_what_is_there_already_is_not_fetched_again(web: Web, before: bytes, folder: Path) -> None:
    asked = len(web.asked)
    assert install("v1.20.0", web.url) == (folder / "mediamtx", False)
    assert len(web.asked) == asked


def test_what_a_killed_installation_left_is_cleared_away(web: Web, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, age_s in ((".new-old", 7200), (".new-at-work", 10)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age_s,) * 2)
    web.release(archive(("mediamtx", program(VERSION))))
    install(VERSION, web.url)
    assert names(folder) == [".new-at-work", "mediamtx"]


def test_another_version_takes_its_place(web: Web, before: bytes, folder: Path) -> None:
    web.release(archive(("mediamtx", program(VERSION))))
    assert install(VERSION, web.url)[1]
    assert (folder / "mediamtx").read_bytes() != before


def test_a_download_that_was_cut_off_goes_on(web: Web, folder: Path) -> None:
    web.release(archive(("mediamtx", program(VERSION))))
    web.cut = 100_000
    said = refused(web)
    assert "cut off after 0.1 of 0.3 MB" in said
    assert names(folder) == [f"{NAME}.part"]
    assert "cut off after 0.2 of 0.3 MB" in refused(web)
    web.cut = None
    install(VERSION, web.url)
    assert web.ranges_asked() == [None, "bytes=100000-", "bytes=200000-"]
    assert names(folder) == ["mediamtx"]


def test_a_server_without_ranges_sends_all_again(web: Web, folder: Path) -> None:
    web.release(archive(("mediamtx", program(VERSION))))
    web.cut, web.ranges = 100_000, False
    refused(web)
    web.cut = None
    install(VERSION, web.url)
    assert names(folder) == ["mediamtx"]


def test_a_download_that_was_whole_is_used(web: Web, folder: Path) -> None:
    data = archive(("mediamtx", program(VERSION)))
    web.release(data)
    folder.mkdir(parents=True)
    (folder / f"{NAME}.part").write_bytes(data)
    install(VERSION, web.url)
    assert names(folder) == ["mediamtx"]


@pytest.mark.parametrize("size", [1000, 10_000_000])
def test_a_wrong_beginning_is_thrown_away_and_all_fetched_anew(web: Web, folder: Path, size: int) -> None:
    web.release(archive(("mediamtx", program(VERSION))))
    folder.mkdir(parents=True)
    (folder / f"{NAME}.part").write_bytes(b"x" * size)
    install(VERSION, web.url)
    assert web.ranges_asked() == [f"bytes={size}-", None]
    assert names(folder) == ["mediamtx"]


# ---------------------------------------------------------------- what does not


def test_a_wrong_checksum(web: Web, before: bytes, folder: Path) -> None:
    web.release(archive(("mediamtx", program(VERSION))), listing=f"{'0' * 64} *{NAME}\n")
    assert "checksums.sha256" in refused(web)
    assert (folder / "mediamtx").read_bytes() == before
    assert names(folder) == ["mediamtx"]


@pytest.mark.parametrize("listing", ["", "0123 *x\n", f"{'0' * 64} *other.tar.gz\n", "<html>"])
def test_no_checksum(web: Web, folder: Path, listing: str) -> None:
    web.release(archive(("mediamtx", program(VERSION))), listing=listing)
    assert "no checksum" in refused(web)
    assert names(folder) == []
    assert web.ranges_asked() == [], "without a checksum nothing is fetched"


def test_a_version_that_does_not_exist(web: Web, before: bytes, folder: Path) -> None:
    said = refused(web, "v1.99.0")
    assert "no MediaMTX v1.99.0" in said
    assert "--version" in said
    assert (folder / "mediamtx").read_bytes() == before


def test_a_server_in_trouble(web: Web, folder: Path) -> None:
    web.status = 503
    assert "503" in refused(web)


def test_offline(folder: Path) -> None:
    offline = Web(port=free_port())
    said = refused(offline)
    assert "cannot be reached (Connection refused)" in said
    assert "online" in said
    assert names(folder) == []


def test_a_server_that_says_nothing(web: Web, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "no answer within 0.3 s" in refused(Web(port=silent.getsockname()[1]))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_disk_that_fills_up(web: Web, before: bytes, folder: Path) -> None:
    web.release(archive(("mediamtx", program(VERSION))))
    (folder / f"{NAME}.part").symlink_to("/dev/full")
    assert "no room left" in refused(web)
    assert names(folder) == ["mediamtx"]
    assert (folder / "mediamtx").read_bytes() == before


@dataclass
class _Usage:
    free: int


def test_a_disk_that_would_fill_up(web: Web, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.release(archive(("mediamtx", program(VERSION))))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: _Usage(free=1_000_000))
    said = refused(web)
    assert "no room left" in said
    assert "are needed and 1 are free" in said
    assert names(folder) == []


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has a folder that even root may not write to")
def test_a_folder_that_may_not_be_written(web: Web, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.release(archive(("mediamtx", program(VERSION))))
    monkeypatch.setenv("XDG_DATA_HOME", "/sys")
    assert "may not be written" in refused(web)


def test_a_file_where_the_folder_should_be(web: Web, folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_bytes(b"")
    assert str(folder) in refused(web)


def test_a_program_of_another_version(web: Web, before: bytes, folder: Path) -> None:
    web.release(archive(("mediamtx", program("v1.20.8"))))
    assert "says it is v1.20.8" in refused(web)
    assert (folder / "mediamtx").read_bytes() == before
    assert names(folder) == ["mediamtx"]


def test_a_program_that_does_not_run(web: Web, before: bytes, folder: Path) -> None:
    web.release(archive(("mediamtx", b"\x7fELF" + bytes(2000))))
    assert "cannot be run" in refused(web)
    assert (folder / "mediamtx").read_bytes() == before


# ---------------------------------------------------------------- archives


def symlinked(name: str, target: str) -> bytes:
    """An archive in which `name` is a symbolic link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as folder:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = tarfile.SYMTYPE, target
        folder.addfile(member)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"no archive at all",
        b"",
        archive(("other", b"x")),
        archive(("../mediamtx", b"x"), ("/tmp/mediamtx", b"x")),
        symlinked("mediamtx", "/etc/passwd"),
        archive(("mediamtx", program(VERSION)))[:-5000],
    ],
    # An archive holds the time it was made at: as a name it would be another in every process.
    ids=["no archive", "empty", "another program", "outside the folder", "a link", "cut off"],
)
def test_archives_without_a_program(web: Web, before: bytes, folder: Path, data: bytes) -> None:
    web.release(data)
    assert "no program" in refused(web)
    assert names(folder) == ["mediamtx"]
    assert (folder / "mediamtx").read_bytes() == before


def test_paths_that_lead_out_of_the_folder_are_not_followed(web: Web, folder: Path, tmp_path: Path) -> None:
    files = [("../../escaped", b"x"), (str(tmp_path / "absolute"), b"x"), ("mediamtx", program(VERSION))]
    web.release(archive(*files))
    install(VERSION, web.url)
    assert names(folder) == ["mediamtx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["zlfeed"]


def test_windows_archives(tmp_path: Path) -> None:
    file = tmp_path / "mediamtx_v1.20.1_windows_amd64.zip.part"
    with zipfile.ZipFile(file, "w") as folder:
        folder.writestr("../mediamtx.exe", b"wrong")
        folder.writestr("mediamtx.exe", b"right")
    out = io.BytesIO()
    unpack(file, "mediamtx.exe", out)
    assert out.getvalue() == b"right"
    with pytest.raises(StartError, match="no program"):
        unpack(file, "other.exe", out)
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(StartError, match="no program"):
        unpack(file, "mediamtx.exe", out)


# ---------------------------------------------------------------- the command


def test_the_command(web: Web, folder: Path, tmp_path: Path) -> None:
    web.release(archive(("mediamtx", program(VERSION))))
    env = {"ZLFEED_MEDIAMTX_BASE_URL": web.url, "XDG_DATA_HOME": str(tmp_path), "no_proxy": "127.0.0.1"}
    with Running("mediamtx", "install", "--version", VERSION, env=env) as command:
        assert command.wait() == 0
    assert f"MediaMTX {VERSION} is installed as {folder / 'mediamtx'}\n" in command.out
    assert command.words == ""
    with Running("mediamtx", "install", "--version", "v1.99.0", env=env) as command:
        assert command.wait() == 3
    assert command.out == []
    (said,) = command.words.splitlines()
    assert said.startswith("zlfeed: there is no MediaMTX v1.99.0")
    with Running("mediamtx", "install", "--version", "newest", env=env) as command:
        assert command.wait() == 2
