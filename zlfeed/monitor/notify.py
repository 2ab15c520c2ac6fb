"""Notifications by the terminal: what to write for one. Pure.

OSC 9 (iTerm2's; kitty, WezTerm, Ghostty, Windows Terminal, foot know it) or OSC 777 (urxvt's; GNOME Terminal and all
others of VTE). tmux passes neither on unless it is asked to, and its user has said `set -g allow-passthrough on`.
"""

from __future__ import annotations

from collections.abc import Mapping

from zlfeed.monitor.lines import clean
from zlfeed.monitor.snapshot import Snapshot


def kind(said: str, environ: Mapping[str, str]) -> str:
    """osc9 or osc777: as said, or by what the terminal says of itself where `said` is auto."""
    if said != "auto":
        return said
    old = environ.get("TERM", "").startswith("rxvt")
    return "osc777" if old or "VTE_VERSION" in environ else "osc9"


def sequence(how: str, text: str, *, in_tmux: bool) -> str:
    """The bytes that let the terminal notify of `text`, in which control characters are made harmless."""
    words = clean(text)
    # OSC 777 has fields, and knows no way to write a semicolon in one.
    out = f"\x1b]777;notify;zlfeed;{words.replace(';', ',')}\x07" if how == "osc777" else f"\x1b]9;zlfeed: {words}\x07"
    return "\x1bPtmux;" + out.replace("\x1b", "\x1b\x1b") + "\x1b\\" if in_tmux else out


class Ringer:
    """Tells which alerts are new, each once."""

    def __init__(self) -> None:
        self._last_id = 0

    def text(self, snapshot: Snapshot) -> str:
        """What to notify of since the last call; empty when there is nothing, or nothing that rings."""
        new = [alert for alert in snapshot.alerts if alert.id > self._last_id]
        self._last_id = max([self._last_id, *(alert.id for alert in new)])
        return "; ".join(f"{snapshot.name_of(alert.subject)}: {alert.text}" for alert in new if alert.rings)
