"""What happened, in order, and what it amounts to."""
