"""Compares time zones guessed from hours of work alone with the offsets that people's own clocks stated.

`python -m bench.quality.time_zones [--repo PATH]` prints it. The data are Debian's changelogs in
/usr/share/doc (where packages are installed with their documentation), and a git repository if one is
given. The rule's tables were counted on entries before October 2019; later ones are measured. The
corpus of deliveries says nothing here: all of its times are in UTC.
"""

from __future__ import annotations

import argparse
import gzip
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import numpy as np

from bench.quality.figures import Figure, lines
from bench.quality.intervals import interval, share_of
from lightfast_pipelines.domain.time_zones import FEWEST_ACTS, time_zone_by_hours

CHANGELOGS = Path("/usr/share/doc")
# Other machines have other packages: with fewer people chance alone may lead below the floor.
_ENOUGH = 50
MEASURED_FROM = datetime(2019, 10, 1, tzinfo=UTC)

Acts = dict[str, list[datetime]]
"""Times, with the offsets of their clocks, by the address of who acted."""

_SIGNED = re.compile(
    r"^ -- .*? <(?P<address>[^>]*)>  (?P<at>\w{3}, +\d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4})$",
    re.MULTILINE,
)


def measure(corpus: Path, repo: Path | None = None) -> Sequence[Figure]:
    """The corpus has no offsets, so it is not read."""
    del corpus
    figures: list[Figure] = []
    later = _since(changelog_entries(CHANGELOGS), MEASURED_FROM)
    if later:
        figures += _figures("Debian changelogs, later half", later)
    if repo is not None:
        figures += _figures(repo.name, commits_of(repo))
    return figures


def changelog_entries(folder: Path) -> Acts:
    entries: set[tuple[str, datetime]] = set()
    for path in filter(Path.is_file, sorted(folder.glob("*/changelog*"))):
        raw = path.read_bytes()
        try:
            text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode(
                "utf-8", "replace"
            )
        except (gzip.BadGzipFile, EOFError):
            continue
        for signed in _SIGNED.finditer(text):
            at = parsedate_to_datetime(signed["at"])
            # -0000 is a time of which nobody knows the zone.
            if at.tzinfo is not None:
                entries.add((signed["address"].lower(), at))
    return _by_person(entries)


def commits_of(repo: Path) -> Acts:
    log = subprocess.run(
        ["git", "-C", str(repo), "log", "--all", "--use-mailmap", "--format=%aE%x09%aI"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    rows = (line.partition("\t") for line in log.splitlines())
    return _by_person({(address.lower(), datetime.fromisoformat(at)) for address, _, at in rows})


def _by_person(entries: Iterable[tuple[str, datetime]]) -> Acts:
    acts: Acts = defaultdict(list)
    for address, at in sorted(entries, key=lambda entry: (entry[0], entry[1].isoformat())):
        acts[address].append(at)
    return acts


def _since(acts: Acts, start: datetime) -> Acts:
    later = {who: [at for at in times if at >= start] for who, times in acts.items()}
    return {who: times for who, times in later.items() if times}


def _figures(data: str, acts: Acts) -> Iterator[Figure]:
    """Of the people with twenty acts or more: those guessed right to one hour, and to two."""
    people = [times for _, times in sorted(acts.items()) if len(times) >= FEWEST_ACTS]
    stated = [_most_frequent(map(_offset, times)) for times in people]
    zones = [time_zone_by_hours([at.timestamp() for at in times]) for times in people]
    guessed = [zone.minutes if zone else 0 for zone in zones]
    if not people:
        return
    most = _most_frequent(stated)
    elsewhere = [_apart(offset, most) > 60 for offset in stated]
    for hours, floor in ((1, 0.6), (2, 0.75)):
        ours = np.array([_apart(g, s) <= 60 * hours for g, s in zip(guessed, stated, strict=True)])
        theirs = np.array([_apart(most, offset) <= 60 * hours for offset in stated])
        yield Figure(
            *("time zones", data, f"within {hours} h"),
            interval(len(people), share_of(ours)),
            "the most frequent offset of all",
            interval(len(people), share_of(theirs)),
            floor=floor if len(people) >= _ENOUGH else None,
            note=f"{len(people)} people, by hours alone",
        )
        away = np.flatnonzero(elsewhere)
        if len(away):
            yield Figure(
                *("time zones", data, f"within {hours} h, of those elsewhere"),
                interval(len(away), share_of(ours[away])),
                "the most frequent offset of all",
                interval(len(away), share_of(theirs[away])),
                note=f"{len(away)} people more than an hour from the most frequent offset",
            )


def _offset(at: datetime) -> int:
    offset = at.utcoffset()
    assert offset is not None
    return round(offset.total_seconds() / 60)


def _most_frequent(offsets: Iterable[int]) -> int:
    counts = Counter(offsets)
    return min(counts, key=lambda offset: (-counts[offset], offset))


def _apart(one: int, other: int) -> int:
    """Minutes between two offsets, the short way round."""
    apart = abs(one - other) % (24 * 60)
    return min(apart, 24 * 60 - apart)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How right guessed time zones are.")
    parser.add_argument("--repo", type=Path, help="A git repository to measure as well.")
    print("\n".join(lines(measure(Path(), parser.parse_args().repo))))
