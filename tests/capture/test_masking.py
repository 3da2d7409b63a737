"""What counts as a secret, what must never, and that masking leaves keys, ids and bytes alone."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.capture.masking import MASK, mask, mask_text
from lightfast_pipelines.domain.events import (
    Edge,
    Mention,
    Reference,
    Statement,
    Thing,
    Understood,
)
from lightfast_pipelines.store.database import Connection
from tests.capture.deliveries import capture_all, delivery, receive, rows, workspace_with
from tests.providers.github import payloads as github


def _base64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


# Put together here: a checkout with whole tokens in it would be refused by the scanners of others.
LETTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF"
JWT = f"{_base64({'alg': 'HS256'})}.{_base64({'sub': 'mira'})}.{LETTERS}"
PEM = "-----BEGIN {0}PRIVATE KEY-----\n{1}\n{2}\n-----END {0}PRIVATE KEY-----"
FIRST_LINES = " ".join(
    f"-----BEGIN {kind}-----"
    for kind in ("PRIVATE KEY", "RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK")
)
SECRETS = {
    "GitHub": "ghp_" + LETTERS + "abcd",
    "GitHub, longer than it was": "ghs_" + LETTERS * 3,
    "GitHub, fine-grained": "github_pat_" + LETTERS[:22] + "_" + LETTERS * 2,
    "GitLab": "glpat-" + LETTERS[:20],
    "AWS": "AKIA" + "IOSFODNN7EXAMPL2",
    "Slack": "xoxb-" + "123456789012-123456789012-" + LETTERS[:24],
    "Slack hook": "https://hooks.slack.com/services/" + "T00000000/B00000000/" + LETTERS[:24],
    "Stripe": "sk_live_" + LETTERS[:24],
    "SendGrid": "SG." + LETTERS[:22] + "." + LETTERS + LETTERS[:11],
    "Twilio": "SK" + "0123456789abcdef" * 2,
    "PyPI": "pypi-AgEIcHlwaS5vcmc" + LETTERS * 3,
    "npm": "npm_" + LETTERS + "abcd",
    "OpenAI": "sk-" + LETTERS[:20] + "T3BlbkFJ" + LETTERS[:20],
    "OpenAI, of a project": "sk-proj-" + LETTERS * 2,
    "Anthropic": "sk-ant-" + "api03-" + LETTERS * 2,
    "Google": "AIza" + LETTERS + "abc",
    "Linear": "lin_api_" + LETTERS + "abcd",
    "Sentry": "sntrys_" + LETTERS * 2,
    "Telegram": "123456789:AA" + LETTERS + "a",
    "Mailchimp": "z" * 4 + "0123456789abcdef0123456789ab" + "-us12",
    "Azure": "AccountKey=" + (LETTERS * 3)[:86] + "==",
    "token": JWT,
    "key": PEM.format("RSA ", LETTERS * 2, LETTERS),
    "PGP key": PEM.format("PGP ", LETTERS * 2, LETTERS).replace("KEY", "KEY BLOCK"),
    "key cut short": PEM.format("", LETTERS * 2, LETTERS).partition("\n-----END")[0],
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
@pytest.mark.parametrize(
    "text", ["Do not use {} here", "{}", "Use it:\n\n    KEY='{}'\n\nthen go.", "see a=%3D{};"]
)
def test_a_secret_is_masked_and_what_stands_around_it_stays(text: str, secret: str) -> None:
    before, _, after = text.partition("{}")
    masked = mask_text(text.format(secret))
    assert masked.startswith(before)
    assert MASK in masked
    # A key without its end takes what looks like more of it.
    assert masked.endswith(after) or "END" not in secret
    for start in range(len(secret) - 16):
        piece = secret[start : start + 16]
        assert piece not in masked or piece in FIRST_LINES, piece
    assert mask_text(masked) == masked


def test_the_kind_of_a_token_stays_readable() -> None:
    assert mask_text(f"with {SECRETS['GitHub']}.") == f"with ghp_{MASK}."
    assert mask_text("psql postgres://app:hunter2hunter@db.example/app") == (
        f"psql postgres://app:{MASK}@db.example/app"
    )
    assert mask_text(f"git clone https://{SECRETS['GitHub']}@github.com/mira/cart") == (
        f"git clone https://ghp_{MASK}@github.com/mira/cart"
    )
    assert mask_text(f"aws_secret_key = '{LETTERS}abcdABCD'") == f"aws_secret_key = '{MASK}'"
    assert mask_text(f"//npm.example/:_authToken={uuid.UUID(int=7)}x") == (
        f"//npm.example/:_authToken={MASK}"
    )


def test_a_token_that_a_titles_end_cut_short_is_masked_too() -> None:
    assert mask_text("Rotate ghp_" + LETTERS[:12] + "...") == f"Rotate ghp_{MASK}..."


NEAR_MISSES = [
    hashlib.sha1(b"one").hexdigest(),
    f"Revert {hashlib.sha1(b'two').hexdigest()} and its task-{hashlib.sha1(b'x').hexdigest()}",
    f"aws key of '{hashlib.sha1(b'three').hexdigest()}'",
    hashlib.sha256(b"four").hexdigest(),
    str(uuid.UUID(int=2**127 + 5)),
    f"1700000000:{hashlib.sha1(b'five').hexdigest()}",
    "#ffcc00 0xdeadbeef AC" + "0123456789abcdef" * 2,
    "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 40).decode(),
    "data:image/png;base64," + "xAKIA" + "QWERTYUIOPASDFGH" + "JKL+/x",
    "https://example.com/a:b@c and http://localhost:8080/@mira",
    "git@github.com:mira/cart.git and ssh://git@github.com/mira/cart",
    "mira@example.com wrote: see https://example.com",
    "https://example.com?x=1:2 mail mira@example.com",
    "use ghp_ tokens, not github_pat_ ones; eyJ begins a token",
    "eyJub3QiOiAidG9rZW4i.is.not.one",
    "read npm_config_user_agent, then npm_package_version",
    "risk-free task-runner disk-usage re-usable ASK TASK npm_config_cache",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ\n-----END PUBLIC KEY-----",
    "a private key: BEGIN PRIVATE KEY is how one begins",
    "sk_test_ and pk_live_" + LETTERS[:24],
]


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_what_only_looks_like_a_secret_stays_as_it_is(text: str) -> None:
    assert mask_text(text) == text


@given(st.text(alphabet="0123456789abcdef", min_size=7, max_size=64), st.text(max_size=20))
def test_a_sha_is_never_masked(sha: str, around: str) -> None:
    assert sha in mask_text(f"{around} {sha} {around}")


def test_texts_of_a_statement_are_masked_and_its_keys_and_ids_are_not() -> None:
    secret = SECRETS["GitHub"]
    thing = Thing(f"github:branch:1:{secret}", name=secret, url=f"https://x/{secret}")
    statement = Statement(
        source_id=f"id:{secret}",
        source="github",
        source_type="commit.pushed",
        subject=thing,
        occurred_at=datetime(2026, 3, 1, tzinfo=UTC),
        title=secret,
        content=f"a {secret} b",
        link_text=secret,
        references=(Reference("commit", secret, secret, secret),),
        mentions=(Mention(thing, "reference", evidence=secret),),
        edges=(Edge(thing, "references", thing, evidence=secret),),
        metadata={"files": [{"patch": f"+{secret}"}], "count": 1},
        branch=secret,
    )
    reading = mask(Understood((statement,)))
    (masked,) = reading.statements
    assert (masked.source_id, masked.branch) == (statement.source_id, secret)
    for one in (masked.subject, masked.mentions[0].thing, masked.edges[0].object):
        assert one.key == thing.key
    assert masked.references[0].id == secret
    assert str(reading).count(secret) == 2 + 4 + 1
    assert masked.metadata == {"files": [{"patch": f"+ghp_{MASK}"}], "count": 1}


def test_a_reading_without_a_secret_is_the_same_object() -> None:
    thing = Thing("github:commit:1")
    at = datetime(2026, 3, 1, tzinfo=UTC)
    reading = Understood((Statement("s", "github", "commit.pushed", thing, at, "A title"),))
    assert mask(reading) is reading


def test_a_commits_token_is_masked_in_every_table_and_its_bytes_stay(conn: Connection) -> None:
    secret = SECRETS["GitHub"]
    receive(
        conn,
        [
            delivery("push", github.push([github.commit(f"Log in\n\nwith {secret}")])),
            delivery("pull_request", github.pull_request(body=f"Uses {secret}")),
        ],
    )
    workspace_with(conn)
    assert capture_all(conn).outcomes == {"delivered": 2}
    tables = ("observations", "entities", "observation_entities", "relationships", "outcomes")
    for table in tables:
        written = rows(conn, f"SELECT t::text FROM lightfast.{table} t")
        assert not [row for row in written if secret in row[0]], table
    contents = rows(conn, "SELECT content FROM lightfast.observations")
    assert len([text for (text,) in contents if f"ghp_{MASK}" in text]) == 2
    bodies = rows(conn, "SELECT body FROM lightfast.raw_bodies")
    assert len([body for (body,) in bodies if secret.encode() in body]) == 2
