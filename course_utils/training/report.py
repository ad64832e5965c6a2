"""JSON files that people read: configurations, checksums, and what was measured. Light: notebooks
import it."""

import json
from pathlib import Path


def write_json(file: Path, content: dict) -> None:
    """Write a file, indented, with a line feed at the end on every system.

    Args:
        file: where; its folder is made.
        content: what `json` can write.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes((json.dumps(content, indent=2) + "\n").encode())
