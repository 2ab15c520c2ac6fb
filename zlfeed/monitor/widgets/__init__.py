"""The monitor's Textual widgets."""
