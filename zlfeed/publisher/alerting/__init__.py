"""When to raise the alarm, and what is then done."""
