"""Many pursuits side by side, as one batch."""
