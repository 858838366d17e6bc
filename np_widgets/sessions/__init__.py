"""Runs an engine over time: one worker thread, a queue of commands, immutable frames; no widgets."""
