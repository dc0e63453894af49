"""Files that others rotate under us: when one counts as changed, and how to read one without being held up.

Kubernetes mounts secrets and config maps as `name -> ..data/name` and swaps `..data`; editors write a new file and
rename it. Both change the inode behind the name; an edit in place changes time or size.
"""

import os
import stat
from pathlib import Path

Signature = tuple[int, int, int, int]


def signature(path: Path | str) -> Signature | None:
    """Device, inode, modification time (ns) and size of what `path` leads to; None if that cannot be looked at."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def read_regular(path: Path | str, limit: int) -> bytes:
    """At most `limit + 1` bytes of a regular file: one more than allowed shows that it is too long. Raises OSError,
    also for anything else that has a name (opening a FIFO would wait for a writer, perhaps for ever)."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError("not a regular file")
        return file.read(limit + 1)
