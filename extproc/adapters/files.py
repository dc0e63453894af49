"""When does a file count as changed? By what its name leads to now, so that a swapped symlink counts.

Kubernetes mounts secrets and config maps as `name -> ..data/name` and swaps `..data`; editors write a new file and
rename it. Both change the inode behind the name; an edit in place changes time or size.
"""

from pathlib import Path

Signature = tuple[int, int, int, int]


def signature(path: Path | str) -> Signature | None:
    """Device, inode, modification time (ns) and size of what `path` leads to; None if that cannot be looked at."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
