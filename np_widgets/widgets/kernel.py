"""What the kernel tells of the cell that it executes; of no use, and no harm, where there is no kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from IPython.core.getipython import get_ipython


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook, and which of its executions this is."""

    name: str
    execution: str


def current_cell() -> Cell | None:
    """The cell that is being executed, if there is one and the front end has said which."""
    parent = _parent()
    name = parent.get("metadata", {}).get("cellId")
    execution = parent.get("header", {}).get("msg_id")
    if _is_execution(parent) and isinstance(name, str) and isinstance(execution, str):
        return Cell(name, execution)
    return None


def nobody_looks() -> bool:
    """Whether a cell is executed to keep its output, as nbconvert does: no front end has said which cell it is."""
    return _is_execution(_parent()) and current_cell() is None


class Hearing:
    """Whether the kernel hears the browser: messages wait for the end of the cell that is being executed."""

    def __init__(self) -> None:
        self._shell: Any = None
        self._executing = False

    @property
    def deaf(self) -> bool:
        """Whether a cell is being executed."""
        return self._executing

    def begin(self) -> None:
        """Listen to the beginnings and ends of cells; may be repeated."""
        shell = get_ipython()
        if shell is None or shell is self._shell:
            return
        self._shell, self._executing = shell, _is_execution(_parent())
        shell.events.register("pre_run_cell", self._on_beginning)
        shell.events.register("post_run_cell", self._on_end)

    def _on_beginning(self, _: object) -> None:
        self._executing = True

    def _on_end(self, _: object) -> None:
        self._executing = False


hearing = Hearing()


def _is_execution(parent: dict[str, Any]) -> bool:
    return bool(parent.get("header", {}).get("msg_type") == "execute_request")


def _parent() -> dict[str, Any]:
    """The message that the kernel handles; empty if there is no kernel, or one that does not tell."""
    get_parent: Callable[[], Any] = getattr(get_ipython(), "get_parent", dict)
    parent = get_parent()
    return parent if isinstance(parent, dict) else {}
