"""Importing this has the C library keep the memory of tensors that are gone, for those to come.

glibc gives large blocks back at once, and the kernel clears them before it lends them again. A
forward pass over many tokens takes several such blocks a layer: without this it is a sixth slower.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGEST_MMAP_THRESHOLD = 32 << 20

if sys.platform == "linux":
    _set = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have no such thing
    if _set:
        _set(_TRIM_THRESHOLD, 1 << 30)
        _set(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
