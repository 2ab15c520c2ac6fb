"""`zlfeed bench`: what each chain costs on this machine, measured side by side."""
