"""Minimizers of the training loss, all behind the interface of :class:`~.minimizer.Minimizer`."""
