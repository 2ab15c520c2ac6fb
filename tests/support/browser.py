"""Headless Chromium, driven by its DevTools protocol: opens a page and runs scripts in it."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

LIMIT_S = 30.0
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required", "--no-proxy-server", "--remote-debugging-port=0",
    "--window-size=900,700",
)  # fmt: skip


class Page:
    """One open page."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = itertools.count(1)
        self.complaints: list[str] = []
        """What the console and the page's scripts complained of."""
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the DevTools protocol; its result."""
        number = next(self._ids)
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._connection.recv(timeout=LIMIT_S))
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params["exceptionDetails"])[:500])
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "assert"):
                self.complaints.append(json.dumps(params["args"])[:500])
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                url = params["entry"].get("url", "")
                if not url.endswith("/favicon.ico"):  # every browser asks every server for one
                    self.complaints.append(f"{params['entry']['text']} {url}")

    def log_in(self, user: str, password: str) -> None:
        """Shows these credentials to every server from now on, as after the browser has asked for them."""
        self.call("Network.enable")
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.call("Network.setExtraHTTPHeaders", headers={"Authorization": f"Basic {basic}"})

    def open(self, url: str) -> None:
        """Goes there, and waits for the document."""
        result = self.call("Page.navigate", url=url)
        assert "errorText" not in result, result
        self.until("document.readyState !== 'loading'")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def until(self, script: str, within_s: float = LIMIT_S) -> Any:
        """Waits until an expression is true; its value."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if value := self.run(script):
                return value
            time.sleep(0.1)
        raise AssertionError(f"{script} did not come true within {within_s:g} s; complaints: {self.complaints}")


@contextlib.contextmanager
def browsing() -> Iterator[Page]:
    """A page in a browser of its own, with a new profile; ended and reaped afterwards."""
    with tempfile.TemporaryDirectory(prefix="zlfeed-chromium-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            ["chromium", *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            port = _port(process, Path(profile) / "DevToolsActivePort")
            with connect(_page_url(port), max_size=None, proxy=None, open_timeout=LIMIT_S) as connection:
                yield Page(connection)
                with contextlib.suppress(OSError):
                    connection.send(json.dumps({"id": 0, "method": "Browser.close"}))
                process.wait(LIMIT_S)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(LIMIT_S)


def _port(process: subprocess.Popen[bytes], file: Path) -> int:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"Chromium ended with code {process.returncode}"
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.05)
    raise AssertionError("Chromium opened no DevTools port")


def _page_url(port: int) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/json/list", timeout=LIMIT_S) as answer:
        (page,) = [target for target in json.load(answer) if target["type"] == "page"]
    url: str = page["webSocketDebuggerUrl"]
    return url
