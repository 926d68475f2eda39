"""The review screen. Nothing in here imports torch or transformers."""
