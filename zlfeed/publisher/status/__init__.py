"""The status server: clients and what each is told, history, thumbnails, what viewers report."""
