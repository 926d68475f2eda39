"""How the shipped weights were made, and how they are measured."""
