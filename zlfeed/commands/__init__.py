"""The commands, a file each: their options, and the way to what they run. What they share is in `common`."""
