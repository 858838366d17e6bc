"""The neurons of the user's own that are being made, one for each layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.scene import Key
from np_widgets.pictures.trial import Draft


class Drafts:
    """Each begins with the first input or neuron below it alone, and is begun anew where the network has changed."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._drafts: dict[int, Draft] = {}

    def of(self, selected: Key | None, frame: PursuitFrame) -> Draft | None:
        """The draft that is selected, if any, for the frame's network."""
        if selected is None or selected[0] != "own" or not frame.weights:
            return None
        layer = int(selected[1])
        below, above = frame.weights[layer - 1].shape[1], frame.weights[layer].shape[0]
        draft = self._drafts.get(layer)
        if draft is None or len(draft.incoming) != below:
            return Draft(layer, (1.0,) + (0.0,) * (below - 1))
        return draft if draft.outgoing is None or len(draft.outgoing) == above else draft._replace(outgoing=None)

    def drag(self, key: Key, height: float, frame: PursuitFrame, heights: tuple[float, ...]) -> None:
        """The bar ``("incoming" or "outgoing", layer, index)``, was dragged; ``heights`` are those of its kind."""
        kind, layer, index = str(key[0]), int(key[1]), int(key[2])
        draft = self.of(("own", layer), frame)
        if draft is None:
            return
        changed = list(heights)
        changed[index] = float(np.clip(height, -1.0, 1.0))
        weights = tuple(changed)
        self._drafts[layer] = (
            draft._replace(incoming=weights) if kind == "incoming" else draft._replace(outgoing=weights)
        )
        self._on_change()
