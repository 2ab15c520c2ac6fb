"""From raw frames to encoded ones: FFmpeg and its encoders, chosen by trial, supervised; frames that come encoded."""
