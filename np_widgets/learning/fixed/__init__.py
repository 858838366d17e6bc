"""Networks of fixed widths, trained from random weights."""
