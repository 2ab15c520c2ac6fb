"""`zlfeed service`: the publisher as a systemd service."""
