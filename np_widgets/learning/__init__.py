"""The mathematics: torch, numpy and scipy; no threads, no notebooks."""
