"""The corpus of recorded histories, beside the checkout unless a command is given another: how to read it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[2] / "shared"
CORPUS = SHARED / "corpus"


def lines(file: Path) -> Iterator[str]:
    """The lines of a history (`.jsonl`, `.jsonl.gz`)."""
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt") as stream:
        yield from stream


def deliveries(file: Path) -> Iterator[dict[str, Any]]:
    """The deliveries of a history, each with its `event` and `payload`."""
    return map(json.loads, lines(file))


def pushed_commits(file: Path) -> Iterator[dict[str, Any]]:
    """The commits of a history's pushes; one that was pushed several times comes as often."""
    for delivery in deliveries(file):
        if delivery["event"] == "push":
            yield from delivery["payload"]["commits"]


def gold_of(file: Path) -> dict[str, str]:
    """commit -> what a gold file of two columns says about it."""
    return dict(line.split("\t") for line in file.read_text().splitlines())
