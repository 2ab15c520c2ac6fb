"""The monitor's themes, and the colours that a theme gives to the views' roles."""

from __future__ import annotations

from functools import lru_cache

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

DARK = Theme(
    name="zlfeed-dark",
    primary="#5ec8f2",
    secondary="#b294f5",
    accent="#5ec8f2",
    success="#3fd79a",
    warning="#ffb54a",
    error="#ff6b6b",
    foreground="#dfe6ee",
    background="#0d1117",
    surface="#131a23",
    panel="#1b2430",
    dark=True,
    variables={"zl-dim": "#8a98a8", "zl-faint": "#4a5868", "zl-frame": "#2a3746"},
)
LIGHT = Theme(
    name="zlfeed-light",
    primary="#0a6fa8",
    secondary="#6a3fb5",
    accent="#0a6fa8",
    success="#0c7a4b",
    warning="#a35a00",
    error="#c42b3a",
    foreground="#1b232c",
    background="#fbfcfd",
    surface="#f1f4f7",
    panel="#e4e9ee",
    dark=False,
    variables={"zl-dim": "#57636f", "zl-faint": "#9aa6b2", "zl-frame": "#c3ccd5"},
)
CONTRAST = Theme(
    name="zlfeed-contrast",
    primary="#00e5ff",
    secondary="#ff8cff",
    accent="#ffff00",
    success="#00ff66",
    warning="#ffff00",
    error="#ff5555",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1a1a1a",
    dark=True,
    variables={"zl-dim": "#ffffff", "zl-faint": "#c0c0c0", "zl-frame": "#ffffff"},
)
THEMES = (DARK, LIGHT, CONTRAST)


class Palette:
    """Rich styles for roles, from a theme's CSS variables. Unknown roles are plain text.

    `mono` uses reverse video where otherwise a background would tell.
    """

    def __init__(self, variables: dict[str, str], *, mono: bool = False) -> None:
        self._mono = mono

        def color(name: str) -> Color:
            return Color.parse(variables[name])

        background, text = color("background"), color("foreground")
        level = {
            "good": color("success"),
            "warn": color("warning"),
            "bad": color("error"),
            "info": color("primary"),
            "unknown": background.blend(text, 0.62),
        }

        def shade(name: str, share: float) -> Color:
            return Color.parse(variables[name]) if name in variables else background.blend(text, share)

        self.colors: dict[str, Color] = {
            **level,
            **{f"frame-{name}": background.blend(value, 0.75) for name, value in level.items()},
            **{
                f"stage-{index}": stage
                for index, stage in enumerate(_stages(text, color("primary"), color("secondary")))
            },
            "dim": shade("zl-dim", 0.62),
            "faint": shade("zl-faint", 0.32),
            "frame": shade("zl-frame", 0.22),
            "frame-focus": color("accent"),
            "stale": background.blend(text, 0.42),
            "accent": color("accent"),
            "link": color("primary"),
            "key": color("accent"),
            "text": text,
        }
        self._background = background
        self._panel = color("panel")
        self.style = lru_cache(maxsize=512)(self._style)

    def _style(self, role: str) -> Style:
        """The Rich style of a role, or of "role on role"."""
        front, _, back = role.partition(" on ")
        if back or ("@" in front and not front.startswith("on-")):
            behind = self._shade(back).rich_color if back else None
            return Style(color=self._shade(front).rich_color, bgcolor=behind)
        if role == "code":
            return Style(reverse=True) if self._mono else Style(color="#000000", bgcolor="#ffffff")
        if ground := self._ground(role):
            if self._mono:
                return Style(
                    reverse=not role.startswith("on-stage-") or int(role.partition("@")[0][-1]) % 2 == 0, bold=True
                )
            ink = self.colors["text"] if role in ("tab-on", "banner-calm") or "@" in role else self._background
            return Style(color=ink.rich_color, bgcolor=ground.rich_color, bold=not role.startswith("on-stage-"))
        found = self.colors.get({"strong": "text", "title": "text", "tab": "dim"}.get(role, role), self.colors["text"])
        bold = role in ("good", "warn", "bad", "strong", "title", "key")
        return Style(color=found.rich_color, bold=bold, underline=role == "link")

    def _shade(self, role: str) -> Color:
        """The colour of "role@60": that much of it over the background."""
        name, _, share = role.partition("@")
        color = self.colors.get(name, self.colors["text"])
        return self._background.blend(color, int(share) / 100) if share else color

    def _ground(self, role: str) -> Color | None:
        """The background of roles that have one."""
        if role.startswith("badge-"):
            return self.colors.get(role.removeprefix("badge-"), self.colors["dim"])
        if role.startswith("on-stage-"):
            return self._shade(role.removeprefix("on-"))
        named = {"brand": self.colors["accent"], "banner": self.colors["bad"]}
        return named.get(role) or (self._panel if role in ("tab-on", "banner-calm") else None)


def _stages(text: Color, first: Color, second: Color) -> list[Color]:
    """Six colours that tell stages apart and say nothing of good or bad."""
    return [
        first,
        first.blend(second, 0.5),
        second,
        second.blend(text, 0.45),
        first.blend(text, 0.55),
        first.blend(second, 0.5).blend(text, 0.6),
    ]
