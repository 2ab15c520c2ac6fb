"""Looking for publishers from another machine of `netns`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

from tests.support.commands import Running
from tests.support.netns import Hosts

LOOK = """
import asyncio, dataclasses, json
from zlfeed import discovery
print(json.dumps([dataclasses.asdict(offer) for offer in asyncio.run(discovery.find(SECONDS))]))
"""
TRIES = 3
"""A command looks for a second at most, in which a busy machine may not get round to answering."""


def look(hosts: Hosts, within_s: float = 6.0) -> list[dict[str, object]]:
    """What the viewer's machine finds; when something is there it need not wait that long."""
    script = LOOK.replace("SECONDS", str(within_s))
    done = subprocess.run(
        [*hosts.viewer, sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return list(json.loads(done.stdout))


def without_an_address(hosts: Hosts, *command: str, env: Mapping[str, str]) -> tuple[int, list[str], str]:
    """A command at the viewer's that looks for itself, run to its end: exit code, lines, words."""
    for _ in range(TRIES):
        with Running(*command, wrapper=hosts.viewer, env={"ZLFEED_CONNECTION_TIMEOUT": "5", **env}) as running:
            code = running.wait(90)
        if "in the local net" in running.words:
            break
    return code, running.out, running.words
