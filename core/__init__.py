"""Placet's core: everything but the screen. It never imports textual."""

__version__ = "0.1.0"
