"""What the status port gives browsers: the page and its files, and the answers to their WebRTC offers."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.integration.status_kit import Source, client, http, publisher, until
from zlfeed.model import CameraStatus, Hello, WebrtcAnswer, WebrtcOffer
from zlfeed.publisher.status import page as status_page

WWW = Path(status_page.__file__).parent / "www"


@pytest.mark.parametrize("path", ["/", "/front", "/?x=1", "/?//[x"])
async def test_a_browser_gets_the_page(path: str) -> None:
    async with publisher(Source()) as server:
        answer = await http(server.port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:9000\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Content-Type: text/html" in head
    assert b"Content-Security-Policy: default-src 'none'; script-src 'self';" in head
    assert b"frame-ancestors 'none'" in head
    assert f"Content-Length: {len(body)}\r\n".encode() in head
    assert body == (WWW / "index.html").read_bytes()


@pytest.mark.parametrize(
    "path", ["/favicon.ico", "/-/", "/-/none.js", "/-/../server.py", "/-/%2e%2e/server.py", "/a/b", "//[x"]
)
async def test_there_are_no_other_files_than_the_pages_own(path: str) -> None:
    async with publisher(Source()) as server:
        answer = await http(server.port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:9000\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")


async def test_by_a_name_that_is_not_ours_a_browser_gets_words_instead_of_a_page_that_is_not_let_in() -> None:
    async with publisher(Source()) as server:
        answer = await http(server.port, b"GET / HTTP/1.1\r\nHost: cam.example:9000\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 421 ")
        assert b"--advertise" in answer
        assert (await http(server.port, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("name", ["localhost", "cam7.lan.example", "cam7", "CAM7.local", "[::1]"])
async def test_a_browser_may_come_by_any_of_our_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "cam7.lan.example")
    async with publisher(Source()) as server:
        answer = await http(server.port, f"GET / HTTP/1.1\r\nHost: {name}:9000\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_an_offer_is_answered_and_its_call_is_over_when_it_is_replaced_or_its_client_leaves() -> None:
    source = Source(readonly_token="look", token="all")
    async with publisher(source) as server:
        async with client(server, Hello(token="look")) as page:
            await page.send(WebrtcOffer("front", 7, "offer"))
            answer = await page.find(WebrtcAnswer)
            assert answer == WebrtcAnswer("front", 7, "answer to offer", session="viewer 1")
            await page.send(WebrtcOffer("front", 8, "another"))
            assert (await page.find(WebrtcAnswer)).sdp == "answer to another"
            await page.send(WebrtcOffer("back", 9, "beside it"))
            await page.find(WebrtcAnswer)
            assert source.calls == ["front 7 127.0.0.1", "front 8 127.0.0.1", "over 7", "back 9 127.0.0.1"]
        await until(lambda: len(source.calls) == 6)
        assert sorted(source.calls[4:]) == ["over 8", "over 9"]


async def test_a_call_that_fails_is_answered_in_words_and_ends_nothing() -> None:
    async with publisher(Source(broken={"call"})) as server, client(server) as page:
        await page.send(WebrtcOffer("front", 7, "offer"))
        answer = await page.find(WebrtcAnswer)
        assert (answer.id, answer.sdp) == (7, "")
        assert "log" in answer.text
        await page.find(CameraStatus)
