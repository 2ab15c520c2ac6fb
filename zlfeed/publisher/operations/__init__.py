"""What runs beside the feed for whoever operates it: systemd, reload, /metrics and /healthz."""
