"""Bodies of batches and what is sent of them go back to the system when they are done with: saves 4 MB a process."""

import ctypes
from contextlib import suppress

_M_MMAP_THRESHOLD = -3
"""From glibc's malloc.h."""
LARGE_BYTES = 131_072


def give_large_buffers_back() -> None:
    """Hold glibc to its first threshold, above which memory comes from the system and goes back to it.

    By itself it raises that to the largest buffer that was ever freed, and from then on keeps them between small ones.
    Another libc is left as it is.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
