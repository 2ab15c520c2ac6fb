"""The example files, each run as its first lines say: one machine here, LAN and VPN between network namespaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Running
from tests.support.netns import PUBLISHER, two_hosts

EXAMPLES = Path(__file__).parents[2] / "contrib" / "examples"
HERE = ("--json", "--camera", "front=test", "--server", "embedded", "--rtsp-port", "0", "--websocket-port", "0")
"""No camera is sure to be here, and ports may be taken; all else is the file's."""


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_is_right(file: Path) -> None:
    with Running("config", "validate", str(file)) as check:
        assert check.wait() == 0, check.words
    assert check.words == ""


def test_one_machine() -> None:
    with Running("publish", "--config", str(EXAMPLES / "one-machine.toml"), *HERE) as publisher:
        urls = publisher.line("ready")["urls"]
        assert "//127.0.0.1:" in urls["rtsp"]
        with Running("receive", urls["rtsp"], "--status-url", urls["websocket"], "--headless", "--json") as receiver:
            assert receiver.line("second", state="live")["frames"] > 0


@pytest.mark.needs("ip")
@pytest.mark.parametrize("name", ["lan", "vpn"])
def test_between_machines(name: str) -> None:
    config = ("--config", str(EXAMPLES / f"{name}.toml"))
    ports = ("--rtsp-port", "8554", "--websocket-port", "9000")
    with two_hosts() as hosts, Running("publish", *config, *HERE, *ports, wrapper=hosts.publisher) as publisher:
        urls = publisher.line("ready")["urls"]
        assert f"//{PUBLISHER}:" in urls["rtsp"]
        token = Path(publisher.env["XDG_STATE_HOME"], "zlfeed", "token").read_text().strip()
        # With the VPN's file the viewer knows where to look; in the LAN it is told.
        where = ("--stream-name", "front", *config) if name == "vpn" else (urls["rtsp"],)
        receive = Running("receive", *where, "--headless", "--json", wrapper=hosts.viewer, env={"ZLFEED_TOKEN": token})
        with receive:
            second = receive.line("second", state="live")
            assert second["frames"] > 0
