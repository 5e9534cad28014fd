"""Input layers, each with the mask that it makes: bool (B, T), True = a real token."""
