"""What docs/status-protocol.md says is so."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from tests.integration.status_kit import LIMIT_S, Source, publisher
from zlfeed import status_client
from zlfeed.model import CameraStatus
from zlfeed.publisher.controls import definitions as controls
from zlfeed.publisher.controls import panel
from zlfeed.publisher.status import server as status_server
from zlfeed.publisher.status import session as status_session
from zlfeed.publisher.status import thumbnails
from zlfeed.publisher.status.outbox import LIMIT
from zlfeed.wire import zlfeed_pb2
from zlfeed.wire.close import CloseCode

PAGE = (Path(__file__).parents[2] / "docs" / "status-protocol.md").read_text(encoding="utf-8")


async def test_the_example_runs() -> None:
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found
    source = Source([CameraStatus("front", 1, state="live", fps=29.97), CameraStatus("rear", 1)], token="secret")
    async with publisher(source) as server:
        example = await asyncio.create_subprocess_exec(
            sys.executable, "-c", found[1], f"ws://127.0.0.1:{server.port}/", "secret", stdout=asyncio.subprocess.PIPE
        )
        try:
            assert example.stdout is not None
            async with asyncio.timeout(LIMIT_S):
                lines = [(await example.stdout.readline()).decode() for _ in range(2)]
        finally:
            example.kill()
            await example.wait()
    assert lines == ["front live 30.0 fps 0 watching\n", "rear starting – fps 0 watching\n"]


def test_every_field_is_explained() -> None:
    explained = set(re.findall(r"`(\w+)`", PAGE))
    for message in zlfeed_pb2.DESCRIPTOR.message_types_by_name.values():
        if message.name != "Envelope":
            missing = set(message.fields_by_name) - explained
            assert not missing, message.name


def test_limits_and_close_codes_are_those_of_the_code() -> None:
    assert all(f"| {code.value} |" in PAGE for code in CloseCode)
    assert f"| clients | {status_server.MAX_CLIENTS} |" in PAGE
    assert f"{status_server.MAX_MESSAGE_BYTES // 1024} KiB, {status_session.MAX_MESSAGES_PER_S} messages" in PAGE
    assert f"time for Hello | {status_session.HELLO_TIME_S:g} s" in PAGE
    assert f"every {status_server.KEEPALIVE_S:g} s" in PAGE
    assert f"At most {LIMIT} messages wait" in PAGE
    assert f"publisher's message | {status_client.MAX_MESSAGE_BYTES >> 20} MiB" in PAGE
    assert f"SetControls under way | {status_session.MAX_REQUESTS} |" in PAGE
    assert f"| thumbnails | {thumbnails.MAX_HZ:g} a second, {thumbnails.MAX_WIDTH} pixels wide |" in PAGE
    assert f"({thumbnails.DEFAULT_HZ:g} unless said)" in PAGE
    assert f"({thumbnails.DEFAULT_WIDTH} unless said;" in PAGE
    assert f"longer than {panel.ANSWER_S:g} s" in PAGE
    assert f"| `bitrate` | int, kbit/s | {controls.MIN_KBPS} to {controls.MAX_KBPS} |" in PAGE


def test_every_control_and_choice_is_explained() -> None:
    explained = set(re.findall(r"`([\w-]+)`", PAGE))
    values = controls.FeedValues(800, 30, 30.0, (640, 480), "normal", "off", True)
    for control in controls.definitions(values, values, None):
        assert {control.name} <= explained
        assert control.name == "size" or set(control.choices) <= explained
    assert f"takes nothing for {status_session.WRITE_TIME_S:g} s" in PAGE
