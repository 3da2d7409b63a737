"""Texts that make a careless rule look at the same place again and again, as long as one asks for.

As a program (`python -m tests.domain.pathological 200000`) it has every rule over text read each; a
rule's name behind that and names of texts have that rule read those only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from lightfast_pipelines.domain.email_addresses import is_placeholder_email
from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Statement, TextScope, Thing
from lightfast_pipelines.domain.identifiers import find_candidates, find_identifiers
from lightfast_pipelines.domain.labels import clean, words
from lightfast_pipelines.domain.markup import cover
from lightfast_pipelines.domain.people.decide import decide
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.domain.prose import first_sentence, plain
from lightfast_pipelines.domain.reverts import Withdrawn
from lightfast_pipelines.domain.secrets.masking import mask_text
from lightfast_pipelines.providers import discover
from tests.providers.github import payloads as github
from tests.providers.github.payloads import Json
from tests.providers.linear import payloads as linear


def _numbered(form: str) -> Callable[[int], str]:
    def text(length: int) -> str:
        return "".join(form.format(n) for n in range(1, 1 + length // len(form.format(1))))

    return text


def _repeated(piece: str, before: str = "", after: str = "") -> Callable[[int], str]:
    return lambda length: f"{before}{piece * (length // len(piece))}{after}"


def _rising(mark: str) -> Callable[[int], str]:
    """Runs of the mark, each longer than the one before: none closes another."""
    return lambda length: "".join(f"{mark * run}\n" for run in range(3, int((2 * length) ** 0.5)))


_PIECES = (
    *("[", "[a", "[](", "[x](y", "(", ")", "#", "`", "` ", '"', '" ', "“", ">", "> \n", "<", "<a "),
    *("~", "~~a", "```\n", "```a\n~~~\n", "*", "*a", "* a\n", "_", "-", ".", "a.", "/", "a/", ":"),
    *("a", "A", "1", "a1", "漢", "😀", "a\u0301", "\x00", " ", "\t", "\n", "\r\n", "@", "@a-"),
    *("<!--", "<!--\n", "<pre>", "<pre>a</code>", "<blockquote>", "</a", "https://", "a(b):"),
    *("fixes #1 ", "reverts #1\n", "GH-1 ", "@name ", "Sentry ", "SHOP-1A ", "A-", "a-1", "GET /a "),
    *("https://github.com/acme/shop/issues/1 ", "[a](https://github.com/acme/shop/pull/3) "),
    *("https://linear.app/a/issue/AB-1/x ", "https://acme.sentry.io/issues/1/ ", "A_", "ErrorA"),
    *("revert ", 'Revert "', 'Revert "fix #1"\n', "rolls back ", "a/b.py ", "Original message\n"),
    "This reverts commit 0123456789abcdef0123456789abcdef01234567.\n",
    *("eyJ", "eyJa.", "sk-", "ghp_", "://a:", "aws ", "xoxb-", "1-", "glpat-", "AKIA", "-us1"),
    *("AccountKey=", "hooks.slack.com/", "1:AA", "Bearer ", "password=", "token: ", "secret='"),
    *("figd_", "hf_", "ya29.", "tskey-", "dp.st.", "hvs.", "--password ", "pwd:", "api_key=a."),
    *("-----BEGIN PRIVATE KEY-----\n", "<details", "<details><summary></details>", "basic ", "login "),
    *("mysql -", "define(", " -u a:", "?sig=", "Private-Lines: 1\n", "Revert fix ", "eyJa.eyJa."),
)  # fmt: skip
TEXTS: dict[str, Callable[[int], str]] = {
    **{repr(piece): _repeated(piece) for piece in _PIECES},
    "commits reverted": _numbered("This reverts commit {:040x}.\n"),
    "commits picked": _numbered("(cherry picked from commit {:040x})\n"),
    "one long list of commits": _numbered(" {:07x}a,"),
    "one long list of commits reverted": lambda n: "reverts commits" + " abcdef1," * (n // 9),
    "issues fixed": _numbered("fixes #{}\n"),
    "one long list of issues": lambda n: "fixes " + _numbered("#{}, ")(n),
    "identifiers": _numbered("fixes AB-{} "),
    "candidates": _numbered("ab{}-1 "),
    "addresses": _numbered("https://github.com/acme/shop/issues/{} "),
    "names": _numbered("@n{} "),
    "settings": _numbered("A_B{} "),
    "errors": _numbered("A{}Error "),
    "commits undone": _numbered('* Fix {0}\n\n* Revert "Fix {0}"\n\n'),
    "original messages of a revert": _repeated("original message\n", 'Revert "a"\n'),
    "rising ticks": _rising("`"),
    "rising tildes": _rising("~"),
    "code without an end": _repeated("<pre>", after="</"),
    "dots of a host": _repeated("a.", "https://"),
    "digits before a token": _repeated("1", after=":" + "a" * 35),
    "a key without an end": _repeated("-", "-----BEGIN PRIVATE KEY-----"),
    "lines of a key without an end": _repeated("\na b", "-----BEGIN PRIVATE KEY-----"),
    "spaces before nothing": _repeated(" ", "password =", "x"),
    "co-authors": _numbered("Co-authored-by: Ada {0} <ada{0}@example.com>\n"),
    "a co-author without an address": _repeated(" ", "Fix\n\nco-authored-by:", "x"),
    "spaces before a co-author": _repeated(" ", "Fix\n", "co-authored-by"),
    "a user without a password": _repeated("a", "://", ":"),
    "spaces behind what a revert fixes": _repeated(" ", "Revert fix", "x"),
    "spaces behind a name": _repeated(" ", "Sentry", "x"),
}


def statement_of(text: str) -> Statement:
    return Statement(
        "s",
        "github",
        "pull-request.opened",
        Thing("github:pr:1#5"),
        datetime(2026, 3, 1, tzinfo=UTC),
        text[:200],
        text,
        link_text=text,
        scope=TextScope("1", "acme/shop"),
    )


def _exhaust(found: Iterable[object]) -> None:
    for _ in found:
        pass


def _read(provider: str, event: str, payload: Json) -> object:
    return discover()[provider].read(event, payload)


RULES: dict[str, Callable[[str], object]] = {
    "enrich": lambda text: enrich(statement_of(text)),
    "cover": cover,
    "withdrawn": Withdrawn,
    "identifiers": lambda text: _exhaust((*find_identifiers(text), *find_candidates(text))),
    "commit": lambda text: _read("github", "push", github.push([github.commit(text)])),
    "pull request": lambda text: _read(
        "github", "pull_request", github.pull_request(title=text, body=text)
    ),
    "issue": lambda text: _read("linear", "Issue", linear.issue(title=text, description=text)),
    "mask": mask_text,
    "mail address": lambda text: is_placeholder_email(f"a@{text}x"),
    "person": lambda text: decide(
        "default",
        [
            Identity("git", "1", name=text, email=f"{text}@acme.dev"),
            Identity("git", "2", name=f"a{text}", email=f"{text}@acme.dev"),
            Identity("github", "7", username=text, name=text, email=f"a@{text}.dev"),
        ],
    ),
    "label": lambda text: (clean(text), words(text)),
    "sentence": lambda text: (plain(text), first_sentence("A title", text)),
}


if __name__ == "__main__":
    letters, rules, texts = sys.argv[1], sys.argv[2:3] or RULES, sys.argv[3:] or TEXTS
    for text in texts:
        for rule in rules:
            RULES[rule](TEXTS[text](int(letters)))
