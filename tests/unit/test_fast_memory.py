"""Large buffers that were freed are the system's again, where the C library is glibc."""

import platform
import subprocess
import sys

import pytest

KEEP_SMALL_BETWEEN_LARGE = """
import ctypes, sys
from app.web.fast.memory import LARGE_BYTES, give_large_buffers_back
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
SIZE = 4 * LARGE_BYTES

def resident_bytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

if sys.argv[1] == "given back":
    give_large_buffers_back()
# the largest buffer that was ever freed
libc.free(libc.malloc(2 * SIZE))
before = resident_bytes()
large = []
for _ in range(40):
    large.append(libc.malloc(SIZE))
    ctypes.memset(large[-1], 1, SIZE)
    libc.malloc(4_000)
# of those at the end nothing is above, so they go back anyway
for buffer in large[:-1]:
    libc.free(buffer)
print((resident_bytes() - before) // SIZE)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="what another C library does is its own"
)
@pytest.mark.parametrize(("how", "kept"), [("given back", range(3)), ("as it comes", range(20, 41))])
def test_large_buffers_between_small_ones_are_kept_by_glibc_unless_it_is_told(how: str, kept: range):
    command = [sys.executable, "-c", KEEP_SMALL_BETWEEN_LARGE, how]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(told.stdout) in kept
