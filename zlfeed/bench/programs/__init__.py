"""The bench's own programs: senders, relay, viewers and links, each run as a process of its own."""
