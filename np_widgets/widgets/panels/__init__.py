"""The pictures drawn with bqplot, one a file."""
