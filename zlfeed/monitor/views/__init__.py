"""The monitor's pictures as lines of text: pure functions of the snapshot and a size in cells."""
