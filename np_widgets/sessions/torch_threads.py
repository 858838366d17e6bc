"""The number of threads that torch uses inside one operation."""

from __future__ import annotations

import threading

import torch

_lock = threading.Lock()


def set_own_torch_threads(count: int) -> None:
    """Set it for the calling thread alone.

    OpenMP keeps the number for each thread, but torch also remembers the last one set, for threads that have not
    computed yet. One of those puts the remembered number back.
    """
    with _lock:
        usual = torch.get_num_threads()
        torch.set_num_threads(count)
        other = threading.Thread(target=torch.set_num_threads, args=(usual,))
        other.start()
        other.join()
