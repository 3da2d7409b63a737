"""Reads names of people: what is one name however it is written, and which names identify nobody."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache

from lightfast_pipelines.domain.people.name_lists import (
    COMMON_FAMILY,
    COMMON_NAMES,
    GENERIC_ALONE,
    GENERIC_FAMILY,
    GENERIC_GIVEN,
    GENERIC_NAMES,
    GENERIC_WORDS,
    GIVEN_NAMES,
    SHARED_FAMILY,
    TITLES,
)

# Letters that Unicode does not decompose.
_LETTERS = str.maketrans(
    {
        "ß": "ss",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "\u0131": "i",
        "ħ": "h",
        "ŧ": "t",
        "ŋ": "n",
    }
)
# As they are written where the keyboard lacks them: `Mueller`, `Joergen`, `Aase`.
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_ASIDE = re.compile(r"\([^)]*\)?|\[[^\]]*\]?|\"[^\"]*\"|<[^>]*>?")
_BETWEEN = re.compile(r"[\s._,;:/|&+·・\u2010-\u2015-]+")
# Anything longer is not a person's name.
_LONGEST = 200
# `Ann Lee via Relay`, as mail relays write.
_VIA = re.compile(r" via .*$", re.IGNORECASE)
_CAPITALS = re.compile(r"(?:[A-Z][a-z]+){2,3}")
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SYLLABLE = re.compile(r"(?:[zcs]h|[b-df-hj-np-tw-z])?(?:[iu]?[aeo]|i|u)[aeiou]?(?:n|ng)?")
# Chinese, Japanese and Korean names are written without spaces.
_EASTERN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class PersonName:
    """What a name says, in parts.

    `words` are without accents and in lower case; `spelled` the same with `ue` for `ü`. A name with
    `is_full` may identify somebody by itself: it has two words or more, and none is generic. `word` is
    the whole of a name that is written as one word, such as a login.
    """

    words: tuple[str, ...] = ()
    spelled: tuple[str, ...] = ()
    word: str = ""
    is_full: bool = False
    is_generic: bool = False
    # The words without initials, and the first and last of these (of all words if all are initials).
    telling: tuple[str, ...] = ()
    first: str = ""
    last: str = ""

    @property
    def is_common(self) -> bool:
        """Whether many people have this name, so that it is no evidence by itself."""
        return is_common(self.words)


def plain(name: str | None) -> str:
    """Letters and digits in lower case without accents: `José  Pérez` and `jose perez` are one name."""
    return "".join(letter for letter in _fold(name or "") if letter.isalnum())


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _repaired(text: str) -> str:
    """`JÃ¶rgen` is `Jörgen` whose UTF-8 was read as Latin-1."""
    if text.isascii():
        return text
    try:
        return text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return text


@lru_cache(maxsize=65_536)
def read_name(name: str | None) -> PersonName:
    text = " ".join((name or "")[:_LONGEST].split())
    text = unicodedata.normalize("NFC", _repaired(text))
    # A machine writes `MACHINE\ann`.
    if "\\" in text:
        return PersonName(is_generic=True)
    text = _VIA.sub("", text)
    text = _ASIDE.sub(" ", text).strip() or text
    local, at, _ = text.partition("@")
    text = local if at and " " not in text else text
    if not text:
        return PersonName(is_generic=True)
    is_one_word = " " not in text
    word = plain(text) if is_one_word else ""
    if is_one_word and _CAPITALS.fullmatch(text):
        text = _CAPITAL.sub(" ", text)
    words = _words(_fold(text))
    spelled = _words(_fold(text.casefold().translate(_SPELLED_OUT)))
    is_generic = (
        all(each in GENERIC_ALONE for each in words)
        or (any(each in GENERIC_WORDS for each in words) and (is_one_word or not _is_name(words)))
        or word in GENERIC_WORDS
        or " ".join(sorted(words)) in GENERIC_NAMES
    )
    telling = [each for each in words if len(each) > 1]
    if len(words) > len(telling) == 1 and words[-1] == telling[0]:
        # `A. Lee` says as much as the login `alee`.
        word = "".join(words)
    has_digits = any(letter.isdigit() for each in words for letter in each)
    is_eastern = len(words) == 1 and _EASTERN.search(text) is not None and len(words[0]) > 2
    is_full = not is_generic and not has_digits and (len(telling) > 1 or is_eastern)
    first, last = (telling[0], telling[-1]) if telling else ((*words, "")[0], ("", *words)[-1])
    return PersonName(words, spelled, word, is_full, is_generic, tuple(telling), first, last)


def with_middle_of(name: PersonName, local: str) -> PersonName:
    """The name with what an address says between first and last: `james.d.knight@` of James Knight."""
    parts = _words(_fold(local))
    if len(name.words) != 2 or len(parts) < 3 or (parts[0], parts[-1]) != name.words:
        return name
    return replace(name, words=parts)


def _words(folded: str) -> tuple[str, ...]:
    parts = (
        "".join(letter for letter in part if letter.isalnum()) for part in _BETWEEN.split(folded)
    )
    words = [part for part in parts if part and not part.isdigit()]
    while len(words) > 2 and words[0] in TITLES:
        words.pop(0)
    while len(words) > 2 and words[-1] in TITLES:
        words.pop()
    return tuple(words)


def _is_name(words: tuple[str, ...]) -> bool:
    """Whether the generic word among them is a person's: `Travis Oakley`, `Ann Root`, not `Travis CI`."""
    generic = [each for each in words if each in GENERIC_WORDS]
    others = {each for each in words if len(each) > 1} - set(generic)
    if len(generic) != 1 or not others or others & GENERIC_ALONE:
        return False
    is_given = words[0] in GENERIC_GIVEN
    return is_given or (words[0] in GIVEN_NAMES and words[-1] in GENERIC_FAMILY)


def is_common(words: tuple[str, ...]) -> bool:
    """Whether a name is one of those that many people have: `John Smith`, `Wei Zhang`, `Ray Chen`."""
    if len(words) == 2:
        return any(
            (family in SHARED_FAMILY and (_SYLLABLE.fullmatch(given) or given in GIVEN_NAMES))
            or any(given in givens and family in families for givens, families in COMMON_NAMES)
            for given, family in (words, words[::-1])
        )
    # Two Chinese characters are a family and a given name of one syllable.
    return len(words) == 1 and len(words[0]) < 3


def is_common_family(family: str) -> bool:
    return family in COMMON_FAMILY or family in SHARED_FAMILY


def name_keys(name: PersonName) -> set[str]:
    """Keys that two spellings of one name share, in the order of its words."""
    return {" ".join(name.words), " ".join(name.spelled)}


def order_keys(name: PersonName) -> set[str]:
    """Keys that `Ann Lee` and `Lee Ann` share."""
    return {" ".join(sorted(name.words)), " ".join(sorted(name.spelled))}


def forms(name: PersonName) -> set[str]:
    """Logins that people make of a full name: `annlee`, `alee`, `leea`, `anlee` of `Ann N. Lee`."""
    made: set[str] = set()
    for words in {name.words, name.spelled}:
        telling = [word for word in words if len(word) > 1] or list(words)
        first, last = telling[0], telling[-1]
        initials = "".join(word[0] for word in words[:-1])
        made |= {"".join(words), first + last, last + first, first[0] + last, last + first[0]}
        made |= {words[0][0] + last, initials + last, last + initials, first + last[0]}
        if len(words) > 3:
            # `jeremiedbb` of Jérémie du Bois-Berger.
            made.add(first + "".join(word[0] for word in words[words.index(first) + 1 :]))
        if len(words) > 2:
            # Double family names, `van der Walt`: `svanderwalt`.
            rest = "".join(words[1:])
            made |= {rest + first, first[0] + rest}
    return {form for form in made if len(form) >= 5}


def cut_forms(name: PersonName) -> set[str]:
    """Logins that were cut to a length: `jstenar` of `Jorgen Stenarson`; or with two initials, `juhasch`."""
    first, last = name.first, name.last
    cut = {first[0] + last[:length] for length in range(6, len(last))}
    return cut | ({first[:2] + last} if len(last) >= 5 and len(first) > 2 else set())


def has_whole_name(handle: str, name: PersonName) -> bool:
    """Whether a login has first and last name in it, so that it says no more than the name."""
    return name.first in handle and name.last in handle
