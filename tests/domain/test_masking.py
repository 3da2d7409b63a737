"""What counts as a secret, what must never, and that masking leaves keys, ids and bytes alone."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.events import (
    Account,
    AccountMention,
    Edge,
    Mention,
    Occurrence,
    Reference,
    StateChange,
    Statement,
    Thing,
    Understood,
)
from lightfast_pipelines.domain.secrets.masking import MASK, mask, mask_text
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Connection
from tests.capture.deliveries import capture_all, delivery, receive, rows, workspace_with
from tests.depth import size
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
    "Linear, of a webhook": "lin_wh_" + LETTERS + "abcd",
    "Vercel": "vercel_" + LETTERS[:24],
    "Vercel, as it is now": "vcp_" + LETTERS + LETTERS[:24],
    "Vercel Blob": "vercel_blob_rw_" + LETTERS[:16] + "_" + LETTERS[:30],
    "Stripe, for tests": "sk_test_" + LETTERS[:24],
    "Slack, of an app": "xapp-" + "1-A0123456789-1234567890123-" + LETTERS.lower() * 2,
    "Google OAuth": "ya29." + "a0" + LETTERS * 3,
    "Google OAuth, of a client": "GOCSPX-" + LETTERS[:28],
    "Hugging Face": "hf_" + LETTERS + "ab",
    "Docker": "dckr_pat_" + LETTERS[:27],
    "DigitalOcean": "dop_v1_" + "0123456789abcdef" * 4,
    "Shopify": "shpat_" + "0123456789abcdef" * 2,
    "Atlassian": "ATATT" + "3xFfGF0" + LETTERS * 4 + "=0A1B2C3D",
    "Tailscale": "tskey-auth-" + "kAbC123CNTRL-" + LETTERS,
    "age": "AGE-SECRET-KEY-" + "1" + LETTERS.upper()[:29] * 2,
    "Vault": "hvs." + LETTERS * 3,
    "PlanetScale": "pscale_tkn_" + LETTERS + LETTERS[:11],
    "Supabase": "sbp_" + "0123456789" * 4,
    "Databricks": "dapi" + "0123456789abcdef" * 2,
    "GitHub, of an app, as it is now": "ghs_" + "123456_" + JWT,
    "token": JWT,
    "Hugging Face, of letters alone": "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH",
    "Vercel, of letters alone": "vercel_" + "aBcDeFgHiJkLmNoPqRsTuVwX",
    "Stripe, with a slash in front": "whsec_" + "aB/" + LETTERS,
    "Linear, to renew": "lin_refresh_" + "0123456789abcdef" * 4,
    "GitLab, of a feature": "glffct-" + LETTERS[:20],
    "Supabase, as it is now": "sb_secret_" + LETTERS[:22] + "_" + LETTERS[:8],
    "Render": "rnd_" + LETTERS[:28],
    "Neon": "napi_" + LETTERS.lower() * 2,
    "Airtable": "pat" + LETTERS[:14] + "." + "0123456789abcdef" * 4,
    "HubSpot": "pat-na1-" + str(uuid.UUID(int=2**127 + 7)),
    "Terraform": LETTERS[:14] + ".atlasv1." + LETTERS * 2,
    "Dynatrace": "dt0c01." + LETTERS.upper()[:24] + "." + LETTERS.upper() * 2,
    "Fly": "fm2_" + LETTERS * 3,
    "Discord, of a bot": "M" + LETTERS[:23] + "." + LETTERS[:6] + "." + LETTERS[:30],
    "Discord hook": "https://discord.com/api/v10/webhooks/1234567890123456789/" + LETTERS * 2,
    "Slack workflow": "https://hooks.slack.com/workflows/"
    + "T0AAAA/A0AAAA/123456789/"
    + LETTERS[:24],
    "Azure DevOps": (LETTERS * 3)[:76] + "AZDO" + LETTERS[:4],
    "Mailgun": "key-" + "0123456789abcdef" * 2,
    "Resend": "re_" + LETTERS[:8] + "_" + LETTERS[:24],
    "Notion, as it was": "secret_" + LETTERS + LETTERS[:11],
    "a hash of a password": "$2b$12$" + (LETTERS * 2)[:53],
    "an encrypted token": f"{_base64({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.{LETTERS}.{LETTERS}.{LETTERS}",
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


def test_a_password_in_an_address_is_masked_without_a_user_and_with_an_at_sign_in_it() -> None:
    assert mask_text("redis://:n0t4you11@cache:6379/0") == f"redis://:{MASK}@cache:6379/0"
    assert mask_text("postgres://app:a@b@db/app") == f"postgres://app:{MASK}@db/app"
    dsn = "https://" + "0123456789abcdef" * 2 + ":{}@sentry.example/4"
    assert mask_text(dsn.format("fedcba9876543210" * 2)) == dsn.format(MASK)
    public = "https://" + "0123456789abcdef" * 2 + "@o1.ingest.sentry.io/4"
    assert mask_text(public) == public
    assert mask_text(f"https://{LETTERS}:x-oauth-basic@git.example/a/b") == (
        f"https://{MASK}:x-oauth-basic@git.example/a/b"
    )


def test_what_a_program_defines_as_a_key_is_masked_with_its_spaces() -> None:
    assert (
        mask_text("define( 'AUTH_KEY', 'wp 0-a1!b2 c3:d4' );") == f"define( 'AUTH_KEY', '{MASK}' );"
    )


def test_a_token_that_a_titles_end_cut_short_is_masked_too() -> None:
    assert mask_text("Rotate ghp_" + LETTERS[:12] + "...") == f"Rotate ghp_{MASK}..."


def test_a_token_that_was_cut_off_in_the_middle_of_a_title_is_masked_too() -> None:
    cut = SECRETS["Hugging Face, of letters alone"][:20]
    assert (
        mask_text(f"Reaction :mark-{cut}...: new comment")
        == f"Reaction :mark-hf_{MASK}...: new comment"
    )


def test_names_of_tags_and_of_environments_in_states_are_masked() -> None:
    secret = SECRETS["Hugging Face, of letters alone"]
    assert mask({f"os-{secret}": {"a": secret}}) == {f"os-hf_{MASK}": {"a": f"hf_{MASK}"}}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    state = StateChange(Thing("key"), f"live_deployment:{secret}", "on", at)
    assert mask(state).state_type == f"live_deployment:hf_{MASK}"


SPOKEN = [
    "AWS_SECRET_ACCESS_KEY={}" + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "export AWS_SECRET_ACCESS_KEY='{}" + "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEK9Y",
    "Authorization: Bearer {}" + LETTERS,
    'curl -H "authorization: bearer {}' + LETTERS,
    "Authorization: Basic {}" + base64.b64encode(b"mira:a1b2c3d4e5f6").decode(),
    "password={}" + "hunter2",
    "PASSWORD={}" + "swordfish",
    "db: {'password': '{}" + "correct horse".replace(" ", "-"),
    '{"db_password":"{}' + "s3cr3t!pa",
    'Log: {\\"passwd\\": \\"{}' + "s3cr3t!pa",
    "The password: {}" + "Tr0ub4dor",
    "DATABASE_PASSWORD={}" + "n0t-f0r-y0u",
    "mysql --password {}" + "n0t4you11",
    "https://example.com/?a=1&client_secret={}" + LETTERS,
    "STRIPE_API_KEY = {}" + LETTERS,
    "encryption_key: {}" + LETTERS,
    "access_token=>{}" + LETTERS,
    "AWS_SECRET_ACCESS_KEY={}" + "/JalrXUtnFEMI/K7MDENGabPxRfiCYEXAMPLEKEY",
    "SECRET_KEY_BASE={}" + "0123456789abcdef" * 8,
    "RAILS_MASTER_KEY={}" + "0123456789abcdef" * 2,
    "API_KEY_PRODUCTION={}" + LETTERS,
    "DB_PASSWORD={}" + "$ecr3t!Pa%s",
    "password={}" + "#Zx81kq",
    "password={}" + "SuperSecret99",
    "password={}" + "XkJqWeRtYuIo",
    "authorization: ssws {}" + "00" + LETTERS,
    "GenieKey {}" + str(uuid.UUID(int=2**127 + 9)),
    "Authorization: Basic {}" + base64.b64encode(b"me:pass").decode(),
    "https://a.blob.core.example/x?sv=1&sig={}" + LETTERS + "abcdefgh",
    "sshpass -p {}" + "n0t4you11",
    "curl --user admin:{}" + "n0t4you11",
    "machine api.example login mira password {}" + "n0t4you11",
]


@pytest.mark.parametrize("line", SPOKEN)
def test_what_is_called_a_password_a_token_or_a_key_is_masked(line: str) -> None:
    before, _, secret = line.partition("{}")
    for text in (f"{before}{secret}", f"{before}{secret} and more", f"{before}{secret}\nnext"):
        masked = mask_text(text)
        assert secret not in masked
        assert masked == text.replace(secret, MASK)
        assert mask_text(masked) == masked


NEAR_MISSES = [
    "password=None, token=None; secret = null, password=True",
    "User(password=password, token=self.token, api_key=os.environ['API_KEY'])",
    "password=get_password() and passwd = getpass.getpass()",
    "password=${PASSWORD} token=$TOKEN secret=%s key=<key> password=*** token=...",
    "Fix password: the form forgets it. Token: expired. Secret: add",
    "persist-credentials: false and settings.A_SECRET: and the secret-scanning: 12",
    "GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
    "password = your-password-here, password=changeme1, password: required",
    "password=$DB_PASSWORD password=%s password=%(password)s password=!Ref password=#123 password=@file",
    "token=/var/run/secrets/tokens/Service1 key_file=~/keys/Service2.pem secret=/etc/app/Secret3",
    "postgres://user:$PASSWORD@db/app docker run -u 1000:1000 -u node:node --user=runner:docker",
    "login with password authentication; basic authentication; mysql is not pg2, -p is --password",
    "the secret_key of v1.2.3 and v1.0-rc1, s.someMethodName, key-value, api-gateway, sdk-2024",
    "token=4 tokens=12 max_tokens=4096 token: 12345",
    "a bearer of good news2; Bearer authentication; bearer token",
    "github:branch:1227688617:Auto-backport-of-pr-13000-on-master-is-long",
    "vercel_deployment_protection_bypass_header_2 ntn_some_name_that_is_long_enough_to_be_one_1",
    "hf_model_v2_final_of_the_year_2024_with_all xai-2024-upgrade-of-a-branch-with-a-long-name",
    "shpat_ lin_wh_ dckr_pat_ tskey-auth ya29. hvs. ATATT AGE-SECRET-KEY- dop_v1_",
    "the cache key: 0123456789 and key=value, keyboard=12345678901234567890ab",
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


def test_a_secret_is_masked_wherever_a_statement_says_it_and_kinds_stay() -> None:
    secret = SECRETS["GitHub"]
    thing = Thing(f"github:branch:1:{secret}", secret, f"https://x/{secret}", (f"a:{secret}",))
    account = Account("git", f"git:{secret}", secret, f"{secret}@example.com", secret)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    statement = Statement(
        source_id=f"id:{secret}",
        source="github",
        source_type="commit.pushed",
        subject=thing,
        occurred_at=at,
        title=secret,
        content=f"a {secret} b",
        actor=account,
        accounts=(AccountMention("reviewer", account),),
        link_text=secret,
        references=(Reference("label", secret, secret, secret),),
        mentions=(Mention(thing, "reference", evidence=secret),),
        edges=(Edge(thing, "references", thing, evidence=secret),),
        states=(StateChange(thing, "status", secret, at, 0, secret, {"name": secret}),),
        metadata={"files": [{"patch": f"+{secret}"}], "count": 1},
        branch=secret,
        paths=(secret,),
        occurrence=Occurrence(secret, secret),
        part=secret,
    )
    (masked,) = mask(Understood((statement,))).statements
    assert secret not in repr(masked)
    assert repr(masked).count(MASK) == repr(statement).count(secret)
    assert (masked.source, masked.source_type) == ("github", "commit.pushed")
    assert masked.metadata == {"files": [{"patch": f"+ghp_{MASK}"}], "count": 1}
    assert masked.edges[0].subject.key == masked.subject.key == f"github:branch:1:ghp_{MASK}"


def test_a_secret_is_found_in_a_key_that_holds_it_in_small_letters() -> None:
    secret = SECRETS["AWS"]
    thing = Thing(f"github:label:1:{secret.lower()}", secret)
    (masked,) = mask((thing,))
    assert masked == Thing(f"github:label:1:akia{MASK}", f"AKIA{MASK}")


def test_a_reading_without_a_secret_is_the_same_object() -> None:
    thing = Thing("github:commit:1")
    at = datetime(2026, 3, 1, tzinfo=UTC)
    reading = Understood((Statement("s", "github", "commit.pushed", thing, at, "A title"),))
    assert mask(reading) is reading


def test_a_token_is_masked_in_every_table_whatever_bears_it_and_its_bytes_stay(
    conn: Connection,
) -> None:
    secret = SECRETS["GitHub"]
    other = SECRETS["Atlassian"]
    labelled = github.pull_request(body=f"Uses {secret}")
    labelled["pull_request"]["labels"] = [{"id": 5, "name": secret, "color": "fff"}]
    labelled["pull_request"]["head"]["ref"] = f"mira/{secret}"
    receive(
        conn,
        [
            delivery("push", github.push([github.commit(f"Log in\n\nwith {secret}")])),
            delivery(
                "push",
                github.push([github.commit("Another", author=other, modified=(f"a/{other}.py",))]),
            ),
            delivery("pull_request", labelled),
        ],
    )
    workspace_with(conn)
    assert capture_all(conn).outcomes == {"delivered": 3}
    derived = rows(
        conn,
        """
        SELECT table_name FROM information_schema.tables WHERE table_schema = 'lightfast'
          AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'raw\\_%%'
        """,
    )
    assert len(derived) > 20
    for (table,) in derived:
        written = [row for (row,) in rows(conn, f"SELECT t::text FROM lightfast.{table} t")]
        for one in (secret, other):
            assert not [row for row in written if one.lower() in row.lower()], table
    masked = rows(conn, "SELECT key FROM lightfast.entities WHERE key LIKE %s", f"%{MASK}%")
    assert len(masked) >= 3
    bodies = rows(conn, "SELECT body FROM lightfast.raw_bodies")
    assert len([body for (body,) in bodies if secret.encode() in body]) == 2


def test_no_observation_of_real_histories_is_masked(shared: Path) -> None:
    """10,087 deliveries: a false alarm in one of them would be the most there may be."""
    masked = []
    provider = discover()["github"]
    for name in ("ipython", "starlette"):
        with gzip.open(shared / "corpus" / f"{name}.jsonl.gz", "rt") as lines:
            for number, line in enumerate(lines):
                if number % size(10, 1):
                    continue
                told = json.loads(line)
                payload = provider.decode(json.dumps(told["payload"]).encode(), {})
                for read in (provider.read, provider.route):
                    reading = read(told["event"], payload)
                    if mask(reading) is not reading:
                        masked.append(told["delivery_id"])
    assert masked == []
