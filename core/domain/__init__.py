"""The nouns: frozen, typed, no I/O, no models."""
