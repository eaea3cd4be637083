"""How glibc's allocator treats memory that has been freed; mallopt(3)."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


def keep_freed_memory(heap_bytes: int, piece_bytes: int, arenas: int = 0) -> None:
    """Has freed memory stay for the next use, instead of being given back to the kernel and taken again page by page.

    Arrays and batches come and go many times a second; getting their pages again costs as much as filling them. Does
    nothing where the C library has no such options.

    Args:
        heap_bytes: how much freed memory is kept, in bytes.
        piece_bytes: larger pieces than this are taken from the kernel, and given back, one by one.
        arenas: how many heaps the threads share; 0 leaves that to glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, piece_bytes)
        mallopt(_TRIM_THRESHOLD, heap_bytes)
        if arenas:
            mallopt(_ARENA_MAX, arenas)
