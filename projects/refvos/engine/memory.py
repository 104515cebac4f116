"""How the C library keeps memory."""

import ctypes
import os
import sys

# Parameters of mallopt(3).
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
LARGEST = 2**31 - 1


def keep_large_buffers() -> bool:
    """Have glibc keep freed memory instead of giving it back each time.

    Feature maps are larger than what glibc keeps by default: every one of
    them would be asked from the kernel, page by page, and given back when it
    is freed. On CPUs that takes a tenth to a third of the time. The next map
    of the size finds its memory there instead; the peak stays the same.

    Does nothing where another C library or allocator is at work, or where
    the environment says something of its own about it.

    Returns:
        Whether glibc took it.
    """
    told = ('MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_')
    if sys.platform != 'linux' or any(name in os.environ for name in told):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int] * 2, ctypes.c_int
    return bool(
        mallopt(MMAP_THRESHOLD, LARGEST) and mallopt(TRIM_THRESHOLD, LARGEST)
    )
