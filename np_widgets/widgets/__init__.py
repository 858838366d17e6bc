"""Live pictures and controls for Jupyter: no mathematics."""

import warnings

with warnings.catch_warnings():
    # One of its dependencies warns of its own code while it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    import bqplot  # noqa: F401
