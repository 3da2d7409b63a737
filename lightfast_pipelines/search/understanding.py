"""What a question names besides its words: things, people, phrases, providers, types, states and times.

Pure. What only the memory knows, such as when a release happened or who is called Ada Kern, is looked
up by `resolving.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo

from lightfast_pipelines.domain.entities_in_text import find_entities
from lightfast_pipelines.domain.identifiers import find_candidates
from lightfast_pipelines.domain.references import find_references
from lightfast_pipelines.search.times import TimeSpan, find_times

_LONGEST_QUESTION = 300
"""Times are read in a question, not in a page of text that somebody pasted."""
_MOST_NAMES = 8
_PHRASE = re.compile(r'"([^"\n]{2,200})"|“([^”\n]{2,200})”')
_LOGIN = re.compile(r"(?<![\w.@/+-])@([A-Za-z0-9](?:[\w-]{0,38}[A-Za-z0-9])?)(?![\w/@])")
_SHA = re.compile(r"(?<![\w./-])(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{7,40}(?![\w-])")
_URL = re.compile(r"https?://[^\s<>\"')\]]+")
_KEY = re.compile(r"(?<!\w)(?:github|linear|sentry|vercel):[a-z-]+:[^\s\"']+")
_VERSION = re.compile(r"(?<![\w./@-])v\d+(?:\.\d+)+(?:-[\w.]+)?(?![\w/])")
# A file in a folder, or one with a usual ending: `auth/session.py`, `setup.cfg`.
_PATH = re.compile(r"(?<![\w./@:-])(?:[\w.@+-]+/)+[\w.+-]+\.[A-Za-z]\w{0,9}(?![\w/])")
_WORD = re.compile(r"[A-Za-z][A-Za-z-]+")

PROVIDERS = ("github", "linear", "sentry", "vercel")
# Word of a question -> the first part of `source_type`.
_THINGS = {
    **dict.fromkeys(("pr", "prs", "pull-request", "pull-requests"), "pull-request"),
    **dict.fromkeys(("issue", "issues", "ticket", "tickets", "bug", "bugs"), "issue"),
    **dict.fromkeys(("commit", "commits"), "commit"),
    **dict.fromkeys(("release", "releases", "released"), "release"),
    **dict.fromkeys(("deployment", "deployments", "deploy", "deploys", "deployed"), "deployment"),
    **dict.fromkeys(("review", "reviews", "reviewed"), "review"),
    **dict.fromkeys(("comment", "comments"), "comment"),
    **dict.fromkeys(("discussion", "discussions"), "discussion"),
    **dict.fromkeys(("error", "errors", "exception", "exceptions"), "error"),
    **dict.fromkeys(("alert", "alerts"), "alert"),
}
# Word of a question -> the last part of `source_type`.
_STATES = {
    **dict.fromkeys(("open", "opened"), ("opened", "reopened", "created")),
    "reopened": ("reopened",),
    "closed": ("closed",),
    "merged": ("merged",),
    **dict.fromkeys(("failed", "failing", "broken"), ("failed",)),
    **dict.fromkeys(("resolved", "fixed"), ("resolved", "fixed")),
    **dict.fromkeys(("approved", "rejected"), ("approved", "rejected", "submitted")),
    "published": ("published",),
    "succeeded": ("succeeded", "ready"),
    "deleted": ("deleted",),
}


@dataclass(frozen=True, slots=True)
class Understood:
    """What a question says. `words` is the question without its times, which bound the answer instead.

    `names` are to be looked up as a person writes them; `keys` are keys already. `things` and `states`
    are parts of `source_type` that the question prefers.
    """

    words: str
    names: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    since: datetime | None = None
    before: datetime | None = None
    releases: tuple[TimeSpan, ...] = ()


def understand(question: str, now: datetime, zone: tzinfo) -> Understood:
    """Reads a question. Of two times that bound the same side, the narrower one counts."""
    is_question = len(question) <= _LONGEST_QUESTION
    spans = list(find_times(question, now, zone)) if is_question else []
    words = _without(question, [(span.start, span.end) for span in spans])
    lower = [
        match[0].lower() for match in _WORD.finditer(words.replace("pull request", "pull-request"))
    ]
    since = [span.since for span in spans if span.since is not None]
    before = [span.before for span in spans if span.before is not None]
    return Understood(
        words=" ".join(words.split()),
        names=tuple(dict.fromkeys(_names(words)))[:_MOST_NAMES],
        keys=tuple(mention.thing.key for mention in find_entities(words))[:_MOST_NAMES],
        logins=tuple(dict.fromkeys(match[1] for match in _LOGIN.finditer(words))),
        phrases=tuple((match[1] or match[2]).strip() for match in _PHRASE.finditer(words)),
        providers=_known(lower, {name: name for name in PROVIDERS}) if is_question else (),
        things=_known(lower, _THINGS) if is_question else (),
        states=tuple(dict.fromkeys(state for word in lower for state in _STATES.get(word, ())))
        if is_question
        else (),
        times=tuple(question[span.start : span.end] for span in spans),
        since=max(since, default=None),
        before=min(before, default=None),
        releases=tuple(span for span in spans if span.release is not None),
    )


def _known(words: list[str], meanings: dict[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(meanings[word] for word in words if word in meanings))


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in sorted(spans, reverse=True):
        text = f"{text[:start]} {text[end:]}"
    return text


def _names(text: str) -> Iterator[str]:
    """What may name one thing, in the order of the text within each form."""
    for pattern in (_KEY, _URL, _SHA, _PATH, _VERSION):
        for match in pattern.finditer(text):
            yield match[0].rstrip(".,;:!?")
    for reference in find_references(text, None):
        yield text[reference.start : reference.end]
    for candidate in find_candidates(text):
        if candidate.kind == "plain":
            yield text[candidate.start : candidate.end]
    for match in re.finditer(r"(?<![\w/#&-])#[1-9]\d{0,8}(?!\w)", text):
        yield match[0]
