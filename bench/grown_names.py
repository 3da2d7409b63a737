"""How a copy of a history is named: its repository, commits, files and people, in SQL and in Python.

A grown history is made of many copies of a recorded one. Each is the history of another repository: its
ids, commits and directories are its own, and so are its people, but for those that a whole organisation
has in common. Rows are renamed in SQL (`bench/grown_rows.py`); deliveries that arrive later in Python.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

HEX = "0123456789abcdef"
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
_FORWARDED = re.compile(r"^(\d+)\+")


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository of the recorded history."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the history. `home` is the first copy of its organisation, `first` that of its workspace."""

    number: int
    home: int
    first: int
    workspace_id: int
    org_id: str
    slug: str
    days: int
    """How many days it is moved."""

    @property
    def shift(self) -> timedelta:
        return timedelta(days=self.days)

    @property
    def suffix(self) -> str:
        return suffix_of(self.number)

    @property
    def hex_digits(self) -> str:
        """Its commits have these digits instead of `HEX`."""
        return "".join(random.Random(self.number).sample(HEX, len(HEX)))

    def signs(self, dimensions: int) -> list[int]:
        """Turns vectors around an axis for each -1: their distances within the copy stay the same. The
        first copy keeps its own, so that what arrives later lies beside them."""
        chance = random.Random(self.number)
        return [1 if self.number == 1 else chance.choice((-1, 1)) for _ in range(dimensions)]

    def repository(self, of: Repository) -> Repository:
        return Repository(f"7{self.number:05}{of.id[-5:]}", f"{of.name}-{self.suffix}")


def suffix_of(number: int) -> str:
    """Letters that no other copy has: names and addresses of its people end with them."""
    syllables = len(_CONSONANTS) * len(_VOWELS)
    parts = []
    for _ in range(2):
        number, place = divmod(number, syllables)
        parts.append(_CONSONANTS[place // len(_VOWELS)] + _VOWELS[place % len(_VOWELS)])
    return "".join(parts)


def account_of(account: int | str, number: int) -> int:
    return int(f"{account}{number:04}")


def address_of(address: str, number: int) -> str:
    local, at, domain = address.partition("@")
    local = _FORWARDED.sub(lambda found: f"{account_of(found[1], number)}+", local)
    return f"{local}{suffix_of(number)}{at}{domain}" if at else address


def delivery_of(
    line: dict[str, Any], copy: Copy, of: Repository, shared: Collection[str]
) -> dict[str, Any]:
    """The delivery as that of the copy's repository. `shared` are people whom its organisation shares, as
    ids of accounts and as `Name <address>`."""
    people = _people(line["payload"], copy, shared)
    to = copy.repository(of)
    text = json.dumps(people, ensure_ascii=False)
    text = text.replace(of.name, to.name).replace(of.id, to.id)
    digits = str.maketrans(HEX, copy.hex_digits)
    text = _COMMIT.sub(lambda found: found[0].translate(digits), text)
    return {
        **line,
        "delivery_id": f"{line['delivery_id']}-{copy.number}",
        "payload": json.loads(text),
    }


def _people(value: Any, copy: Copy, shared: Collection[str]) -> Any:
    if isinstance(value, list):
        return [_people(item, copy, shared) for item in value]
    if not isinstance(value, dict):
        return value
    renamed = {name: _people(item, copy, shared) for name, item in value.items()}
    if "login" in value and "id" in value:
        number = copy.home if str(value["id"]) in shared else copy.number
        renamed |= {
            "id": account_of(value["id"], number),
            "login": value["login"] + suffix_of(number),
        }
    elif value.keys() >= {"name", "email"}:
        known = f"{value['name'].strip()} <{value['email'].strip().lower()}>"
        number = copy.home if known in shared else copy.number
        renamed |= {
            "name": value["name"].strip() and value["name"].strip() + suffix_of(number),
            "email": address_of(value["email"], number),
        }
    return renamed
