from __future__ import annotations

import pytest

from zlfeed.config import load
from zlfeed.errors import StartError, UsageError
from zlfeed.publisher.mediamtx import release
from zlfeed.publisher.mediamtx.locate import MINIMUM

LISTING = (
    "aa" * 32 + " *mediamtx_v1.20.1_linux_amd64.tar.gz\n" + "BB" * 32 + "  mediamtx_v1.20.1_linux_arm64.tar.gz\r\n"
    "cc *short.tar.gz\n" + "dd" * 32 + " *../other.tar.gz\nno sum at all\n"
)
"""As `sha256sum` writes it, with and without -b, and what it does not write."""


@pytest.mark.parametrize(
    ("text", "name"), [("1.20.1", "v1.20.1"), ("v1.20.1", "v1.20.1"), (" v2.0.0 ", "v2.0.0"), ("1.21.0-rc1",) * 2]
)
def test_versions(text: str, name: str) -> None:
    assert release.version_name(text) == f"v{name.removeprefix('v')}"


@pytest.mark.parametrize("text", ["", "latest", "1.20", "v1.20.1/../..", "1.20.1 x", "v1.20.1\n/x", "../v1.20.1"])
def test_versions_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--version"):
        release.version_name(text)


@pytest.mark.parametrize("text", ["1.19.3", "v0.23.0"])
def test_versions_that_are_too_old(text: str) -> None:
    with pytest.raises(UsageError, match="too old"):
        release.version_name(text)


def test_the_version_by_default_is_new_enough() -> None:
    assert release.version_name(release.VERSION) == release.VERSION
    assert tuple(map(int, release.VERSION.removeprefix("v").split(".")))[:2] >= MINIMUM


@pytest.mark.parametrize(
    ("system", "machine", "wide", "name"),
    [
        ("linux", "x86_64", True, "linux_amd64"),
        ("linux", "aarch64", True, "linux_arm64"),
        ("linux", "aarch64", False, "linux_armv7"),
        ("linux", "armv8l", False, "linux_armv7"),
        ("linux", "armv7l", False, "linux_armv7"),
        ("linux", "armv6l", False, "linux_armv6"),
        ("darwin", "arm64", True, "darwin_arm64"),
        ("darwin", "x86_64", True, "darwin_amd64"),
        ("win32", "AMD64", True, "windows_amd64"),
    ],
)
def test_machines(system: str, machine: str, wide: bool, name: str) -> None:
    assert release.platform_name(system, machine, wide=wide) == name


@pytest.mark.parametrize(
    ("system", "machine"), [("linux", "riscv64"), ("freebsd14", "amd64"), ("win32", "ARM64"), ("linux", "i686")]
)
def test_machines_that_no_release_is_built_for(system: str, machine: str) -> None:
    with pytest.raises(StartError, match="--mediamtx-path") as caught:
        release.platform_name(system, machine)
    assert machine in str(caught.value)


def test_the_archives_names() -> None:
    assert release.archive_name("v1.20.1", "linux_armv7") == "mediamtx_v1.20.1_linux_armv7.tar.gz"
    assert release.archive_name("v1.20.1", "windows_amd64") == "mediamtx_v1.20.1_windows_amd64.zip"
    assert release.program_name("windows_amd64") == "mediamtx.exe"
    assert release.program_name("linux_arm64") == "mediamtx"


@pytest.mark.parametrize(
    ("name", "sum_"),
    [
        ("mediamtx_v1.20.1_linux_amd64.tar.gz", "aa" * 32),
        ("mediamtx_v1.20.1_linux_arm64.tar.gz", "bb" * 32),
        ("short.tar.gz", None),
        ("other.tar.gz", None),
        ("mediamtx_v1.20.1_linux_amd64.tar", None),
    ],
)
def test_checksums(name: str, sum_: str | None) -> None:
    assert release.checksum_of(name, LISTING) == sum_


@pytest.mark.parametrize("url", ["file:///etc", "ftp://h/x", "h/x", "https://", "https://h/x?y", "https://h /x"])
def test_addresses_that_are_no_web_address(url: str) -> None:
    with pytest.raises(UsageError, match="address of releases"):
        load(mediamtx_base_url=url)


def test_the_address_of_releases_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().mediamtx_base_url == release.BASE_URL
    monkeypatch.setenv("ZLFEED_MEDIAMTX_BASE_URL", "http://mirror.example/mtx/")
    assert load().mediamtx_base_url == "http://mirror.example/mtx/"
