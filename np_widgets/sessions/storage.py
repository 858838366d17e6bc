"""Values in a file: safetensors, with all that is no array as text in its metadata. Nothing in a file is run."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

from np_widgets.sessions.values import Arrays, Packer, unpacked

VERSION = "1"


class FileError(ValueError):
    """A file is none that this package wrote for its purpose, or damaged, or of another version; it says what."""


def store(path: Path, kind: str, value: Any) -> None:
    """Replace a file by one with a value of known kinds, in one piece."""
    from safetensors.numpy import save  # noqa: PLC0415 (who saves nothing need not wait for it)

    text, arrays = _packed(value)
    about = {"np_widgets": VERSION, kind: text, "digest": digest(text, arrays)}
    _replace(path, save(arrays, about))


def stored(path: Path, kind: str) -> Any:
    """What :func:`store` was given.

    Raises
    ------
    FileError, OSError
        If it is none of its files, or damaged, or cannot be read.
    Exception
        Of many kinds, if what somebody else has written there can be no value.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    try:
        # It checks the header and all sizes against the file before anything is read.
        with safe_open(path, "np") as file:
            about = file.metadata() or {}
            version = about.get("np_widgets")
            if version is None or kind not in about:
                raise FileError(f"{path} holds no {kind}: it is a safetensors file of something else")
            if version != VERSION:
                raise FileError(f"{path} is of version {version[:20]}, and only version {VERSION} is known here")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dictionary)
    except SafetensorError as error:
        raise FileError(f"{path} is no safetensors file, or damaged: {error}"[:500]) from error
    text = about[kind]
    if about.get("digest") != digest(text, arrays):
        raise FileError(f"{path} is damaged: what it holds is not what was written")
    return unpacked(json.loads(text), arrays)


def fingerprint(value: Any) -> str:
    """Text that values of known kinds have in common if they are equal, and hardly otherwise."""
    return digest(*_packed(value))


def _packed(value: Any) -> tuple[str, Arrays]:
    packer = Packer()
    packer.pack(value)
    return f"[{','.join(packer.nodes)}]", packer.arrays


def digest(text: str, arrays: Arrays) -> str:
    """Of all that a file holds."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _replace(path: Path, content: bytes) -> None:
    """Write a file beside, make sure that it is on the disk, and put it in the place of the old one."""
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
