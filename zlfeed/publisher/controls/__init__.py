"""What can be set on a camera's feed while it runs, carried out, read back, and kept for the next start."""
