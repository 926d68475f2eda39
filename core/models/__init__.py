"""Models: which there are, bringing them here, loading, writing, reading."""
