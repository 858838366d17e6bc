"""Live pictures and controls for Jupyter: no mathematics."""
