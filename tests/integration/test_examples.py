"""The example files, each run as its first lines say: one machine here, LAN and VPN between network namespaces."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.commands import Running
from tests.support.local_net import look, without_an_address
from tests.support.netns import PUBLISHER, Hosts, two_hosts
from zlfeed import config

EXAMPLES = Path(__file__).parents[2] / "contrib" / "examples"
HERE = ("--json", "--camera", "front=test", "--server", "embedded", "--fps", "10")
"""No camera is sure to be here; all else is the file's."""


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_is_right(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZLFEED_CONFIG", str(file))
    assert config.load().camera
    assert any(str(file) in place for place in config.origins().values())


def test_one_machine() -> None:
    ports = ("--rtsp-port", "0", "--websocket-port", "0", "--metrics-port", "0")  # the usual ones may be taken
    with Running("publish", "--config", str(EXAMPLES / "one-machine.toml"), *HERE, *ports) as publisher:
        figures = publisher.line("event", code="metrics_ready")["text"].rpartition(": ")[2]
        urls = publisher.line("ready")["urls"]
        assert "//127.0.0.1:" in urls["rtsp"]
        with Running("receive", urls["rtsp"], "--status-url", urls["websocket"], "--headless", "--json") as receiver:
            assert receiver.line("second", state="live")["frames"] > 0
        with urllib.request.urlopen(figures.replace("metrics", "healthz"), timeout=10) as health:
            assert (health.status, health.read()) == (200, b"front: ok\n")


@contextmanager
def published(name: str, *arguments: str) -> Iterator[tuple[Hosts, dict[str, str]]]:
    """Two machines, on one of them a publisher as the file has it; and its token, for the other's environment."""
    config = ("--config", str(EXAMPLES / f"{name}.toml"))
    with two_hosts() as hosts, Running("publish", *config, *HERE, *arguments, wrapper=hosts.publisher) as publisher:
        assert f"//{PUBLISHER}:" in publisher.line("ready")["urls"]["rtsp"]
        token = Path(publisher.env["XDG_STATE_HOME"], "zlfeed", "token").read_text().strip()
        yield hosts, {"ZLFEED_TOKEN": token}


@pytest.mark.needs("ip")
def test_lan_where_it_is_found_without_an_address() -> None:
    with published("lan") as (hosts, env):
        command = ("receive", "--headless", "--json", "--duration", "2")
        code, out, words = without_an_address(hosts, *command, env=env)
    assert code == 0, words
    assert json.loads(out[-1])["frames"] > 0
    assert "found in the local net: front on " in words


@pytest.mark.needs("ip")
def test_vpn_where_the_file_tells_the_viewer_too() -> None:
    with published("vpn", "--no-announce") as (hosts, env):
        assert look(hosts, 1.5) == [], "it was told to keep quiet"
        where = ("--stream-name", "front", "--config", str(EXAMPLES / "vpn.toml"))
        with Running("receive", *where, "--headless", "--json", wrapper=hosts.viewer, env=env) as receiver:
            assert receiver.line("second", state="live")["frames"] > 0
