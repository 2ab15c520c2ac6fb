"""`zlfeed bench`: what each chain from camera to picture costs on this machine, measured side by side."""
