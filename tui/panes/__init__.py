"""The four panes of the review screen."""
