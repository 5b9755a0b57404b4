"""The index of what is shipped: the catalogue's words with the counts and the digest of each event file."""

import hashlib
import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

CATALOGUE = "catalogue.toml"
INDEX = "index.json"


def write_index(folder: Path, catalogue: Path) -> dict[str, Any]:
    """Write `index.json` for the event files of a folder and return it.

    Raises ValueError where an event file is not in the catalogue: nothing is shipped without its source and licence.
    """
    described = tomllib.loads(catalogue.read_text(encoding="utf-8"))
    files = {path.stem: path for path in sorted(folder.glob("*.jsonl"))}
    undescribed = sorted(set(files) - set(described))
    if undescribed:
        message = f"not in {catalogue.name}: {', '.join(undescribed)}"
        raise ValueError(message)
    index = {name: {"file": path.name, **described[name], **_measured(path)} for name, path in files.items()}
    text = json.dumps(index, ensure_ascii=False, indent=1, sort_keys=True)
    (folder / INDEX).write_text(f"{text}\n", encoding="utf-8")
    return index


def _measured(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    counts = Counter(json.loads(line)["type"] for line in content.splitlines())
    return {
        "counts": dict(sorted(counts.items())),
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
