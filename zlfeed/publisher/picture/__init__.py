"""What is done to a picture before it is encoded: turned, clock and strip drawn on it, slates; JPEG of it."""
