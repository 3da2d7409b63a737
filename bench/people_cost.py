"""Measures how long it takes to decide who is who, for growing organisations of made-up people.

`python -m bench.people_cost [ACCOUNTS ...]` (default 10000 20000 40000): seconds of the processor,
microseconds for each account, and what was decided. Names are as unevenly distributed as real ones, people
have several addresses and accounts, and some addresses and logins are shared by many.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from itertools import accumulate, islice

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.people.decide import decide
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.domain.people.name_lists import COMMON_FAMILY, GIVEN_NAMES

_SEED = 20_260_101
_PUBLIC = ("gmail.com", "outlook.com", "qq.com", "web.de", "yahoo.com", "proton.me")
_SHARED = ("root@localhost", "dev@acme.dev", "", "build@ci.acme.dev", "you@example.com")
_SYLLABLES = (
    *("ba", "be", "bo", "da", "de", "di", "fo", "ga", "ha", "ka", "ki", "ko", "la", "le", "li"),
    *("lo", "ma", "me", "mi", "mo", "na", "ne", "ni", "ra", "re", "ri", "ro", "sa", "ta", "to"),
)


def _family_names(rng: random.Random, count: int) -> list[str]:
    made = sorted(COMMON_FAMILY)
    known = set(made)
    while len(made) < count:
        name = "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4))) + rng.choice(
            ("n", "r", "s", "")
        )
        if name not in known:
            known.add(name)
            made.append(name)
    return made


def identities() -> Iterator[Identity]:
    """Identities without end, the same in every run."""
    rng = random.Random(_SEED)
    given, family = sorted(GIVEN_NAMES), _family_names(rng, 20_000)
    weights = [
        list(accumulate(1 / (rank + 20) for rank in range(len(names)))) for names in (given, family)
    ]
    companies = [f"{''.join(rng.choices(_SYLLABLES, k=3))}.com" for _ in range(500)]
    number = 0
    while True:
        number += 1
        first = rng.choices(given, cum_weights=weights[0])[0].title()
        last = rng.choices(family, cum_weights=weights[1])[0].title()
        yield from _person(rng, number, first, last, rng.choice(companies))


def _person(
    rng: random.Random, number: int, first: str, last: str, company: str
) -> Iterator[Identity]:
    login = rng.choice((first[0] + last, first + last, f"{last}{number}", first)).lower()
    work = f"{first}.{last}@{company}".lower()
    home = f"{login}@{rng.choice(_PUBLIC)}"
    name = f"{first} {last}"
    names = [
        name,
        name,
        login,
        f"{first} {rng.choice('ABCDEFG')}. {last}",
        f"{last} {first}",
        first,
    ]
    addresses = [
        work,
        home,
        f"{number}+{login}@users.noreply.github.com",
        f"{login}@{login}-laptop.local",
        rng.choice(_SHARED),
    ]
    yield Identity("github", str(number), username=login, name=name, kind="person")
    if rng.random() < 0.3:
        yield Identity("linear", f"u{number}", name=name, email=work, email_verified=True)
    if rng.random() < 0.02:
        yield Identity("github", f"9{number}", username=f"{login}-bot", kind="bot")
    seen = set()
    for _ in range(min(6, int(rng.expovariate(0.7)) + 1)):
        alias, address = rng.choice(names), rng.choice(addresses)
        source_id = keys.git_identity(alias, address)
        if source_id not in seen:
            seen.add(source_id)
            yield Identity("git", source_id, name=alias, email=address)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.people_cost", description=__doc__)
    parser.add_argument("accounts", nargs="*", type=int, default=[10_000, 20_000, 40_000])
    print("accounts  seconds  us/account   actors  doubtful")
    for size in parser.parse_args().accounts:
        accounts = list(islice(identities(), size))
        began = time.process_time()
        decided = decide("bench", accounts)
        seconds = time.process_time() - began
        print(
            f"{size:>8} {seconds:>8.2f} {seconds / size * 1e6:>11.0f}"
            f" {len(decided.actors):>8} {len(decided.doubtful):>9}"
        )


if __name__ == "__main__":
    main()
