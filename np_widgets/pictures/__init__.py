"""Pure functions from a frame to the plain arrays of one picture, for whoever draws it."""
