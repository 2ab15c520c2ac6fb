from __future__ import annotations

from functools import partial

import structlog

from tests.tui.scenes import status, welcome
from zlfeed.model import Pong
from zlfeed.monitor.feeds import Feeds
from zlfeed.monitor.run import _into
from zlfeed.status_client import LinkState

URL = "ws://127.0.0.1:1/"


def test_while_the_screen_is_drawn_warnings_become_entries_and_the_rest_is_dropped() -> None:
    feeds = Feeds({URL: ""}, timeout_s=1.0)
    log = structlog.wrap_logger(
        structlog.PrintLogger(), processors=[structlog.processors.add_log_level, partial(_into, feeds)]
    )
    log.info("nothing_much")
    log.error("status_callback_failed", callback="on_message", error="a bug", part="status_client")
    entries = feeds.snapshot().log
    assert [(entry.level, entry.code) for entry in entries] == [("error", "status_callback_failed")]
    assert entries[0].text == "status_callback_failed: callback on_message, error a bug"


def test_news_are_what_cannot_wait() -> None:

    feeds = Feeds({URL: ""}, timeout_s=1.0)
    news: list[str] = []
    feeds.on_news = lambda: news.append("news")
    counts = []
    for message in (welcome(), status(), status(fps=29.0), status(state="no_signal"), Pong(1, 2, 3, 4)):
        feeds._on_message(URL, message)
        counts.append(len(news))
    feeds._on_link(URL, LinkState(URL, False, 1, 1.0, "gone"))
    assert [*counts, len(news)] == [1, 2, 2, 3, 3, 4]
