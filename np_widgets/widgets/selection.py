"""What the user has picked out, a neuron or a candidate: one value, and the drop-down that says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.scene import Key
from np_widgets.pictures.selection import checked, named, selectable
from np_widgets.pictures.trial import Draft
from np_widgets.widgets.elements import dropdown
from np_widgets.widgets.inputs import Slot

# A drop-down takes None for no choice at all.
_NOTHING: Key = ()
# A longer list is of no use, and what is selected is always on it.
_MOST_OFFERED = 60


class PursuitView(NamedTuple):
    """What the pictures show: a frame, what is selected in it, and the neuron of the user's own if that is selected."""

    frame: PursuitFrame
    selected: Key | None = None
    draft: Draft | None = None


class Selection:
    """The value may be set from any thread; a click on what is selected selects nothing."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._value: Key | None = None
        self._identity: Any = None
        self._offered: list[tuple[str, Key]] = []
        self._slot = Slot()
        self.box = self._slot.box

    def select(self, selected: Any, frame: PursuitFrame) -> None:
        """Select a neuron or a candidate of the frame, or nothing."""
        value = checked(selected, frame, own=True)
        self._value, self._identity = value, _identity(value, frame)
        self._on_change()

    def click(self, key: Key, frame: PursuitFrame) -> None:
        """A mark that stands for something was clicked; what the newest frame does not have any more is let go."""
        if key in selectable(frame):
            self.select(None if key == self.value(frame) else key, frame)

    def value(self, frame: PursuitFrame) -> Key | None:
        """What is selected in a frame: a candidate wherever it stands now, and nothing that is not there."""
        value, identity = self._value, self._identity
        if value is None or value[0] != "candidate":
            return value if value in selectable(frame, own=True) else None
        places = [("candidate", index) for index in range(len(frame.candidates))]
        same = [key for key in places if _identity(key, frame) == identity]
        if not same and frame.phase in ("origin", "searching") and identity[0] == len(frame.growth):
            return value if value in places else None  # on its way
        return value if value in same else same[0] if same else None

    def show(self, frame: PursuitFrame) -> None:
        """Offer what there is, and say what is selected; on the publisher's thread."""
        value, known = self.value(frame), selectable(frame, own=True)
        offered = known[:_MOST_OFFERED]
        if value is not None and value not in offered:
            offered.append(value)
        options = [("nothing", _NOTHING), *((named(key), key) for key in offered)]
        control = self._slot.control
        if options == self._offered and control is not None and control.value == (value or _NOTHING):
            return
        self._offered = options
        made = dropdown(
            "Selected",
            options,
            value or _NOTHING,
            "What to highlight in all pictures: a neuron or a candidate",
            "220px",
        )
        made.disabled = not known
        made.observe(lambda change: self.select(change["new"] or None, frame), "value")
        self._slot.put(made)


def _identity(key: Key | None, frame: PursuitFrame) -> Any:
    """What a candidate is known by while others are found and the look-ahead goes on."""
    if key is None or key[0] != "candidate":
        return None
    found = frame.candidates[int(key[1])]
    return len(frame.growth), found.layer, found.last, found.value
