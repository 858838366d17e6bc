"""A folder of outcomes: what many runs have come to so far, to be gone on from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from np_widgets.sessions.storage import FileError, store, stored


class Checkpoint:
    """Outcomes by keys, in files that are written once: some outcomes each.

    Parameters
    ----------
    folder
        Where they are; made if it is not there. None for none: nothing is found, and nothing kept.
    kind
        Of what the outcomes are.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, kind: str) -> None:
        self._kind = kind
        self._folder = None if folder is None else _made(folder)
        self.found: dict[str, Any] = {}
        for path in sorted(self._folder.glob("*.safetensors")) if self._folder else ():
            self.found |= _read(path, kind)

    def keep(self, outcomes: Mapping[str, Any]) -> None:
        """Write outcomes to a file, in one piece."""
        if self._folder is not None and outcomes:
            name = hashlib.sha256("".join(sorted(outcomes)).encode()).hexdigest()[:20]
            store(self._folder / f"{self._kind}-{name}.safetensors", self._kind, dict(outcomes))


def _made(folder: Any) -> Path:
    if not isinstance(folder, (str, os.PathLike)):
        raise TypeError(f"checkpoint must be the path of a folder or None, got {type(folder).__name__}")
    path = Path(folder).expanduser()
    if path.exists() and not path.is_dir():
        raise ValueError(f"checkpoint must be the path of a folder, got that of a file: {path}")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _read(path: Path, kind: str) -> dict[str, Any]:
    try:
        outcomes = stored(path, kind)
        if not isinstance(outcomes, dict):
            raise TypeError(f"it holds a {type(outcomes).__name__}")
    except (OSError, MemoryError, FileError):
        raise
    except Exception as error:
        raise FileError(f"{path} holds no sound {kind}: {type(error).__name__}: {error}"[:500]) from error
    return outcomes
