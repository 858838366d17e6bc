"""The flow near a saddle, beside what theory predicts for it."""
