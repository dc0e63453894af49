"""Documents to files that Envoy watches: written beside, then renamed, so that a half-written one is never read."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(folder: Path, documents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Writes each document whose bytes differ from the file's. Returns the names written, in order.

    The folder is 0700 and files 0600: they name internal hosts. Clusters are written before listeners, since a
    listener may use them at once. Raises OSError when the folder cannot be written; then no file is half new.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = []
    for name in sorted(documents):
        data = (json.dumps(documents[name], indent=1) + "\n").encode()
        target = folder / name
        if target.exists() and target.read_bytes() == data:
            continue
        _replace(target, data)
        written.append(name)
    return written


def _replace(target: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
