"""What the pictures of a saddle flow show."""

from __future__ import annotations

from dataclasses import dataclass

from np_widgets.learning.saddles.frames import SaddleFrame


@dataclass(frozen=True)
class SaddleView:
    """A frame, and the moment of its record that the user looks at.

    Attributes
    ----------
    frame
        The newest.
    index
        The point of its record; None for the newest.
    """

    frame: SaddleFrame
    index: int | None = None
