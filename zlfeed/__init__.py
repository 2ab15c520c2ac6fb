"""zlfeed: a camera's picture from a headless Raspberry Pi to a screen in single-digit milliseconds."""

__version__ = "0.1.0"
