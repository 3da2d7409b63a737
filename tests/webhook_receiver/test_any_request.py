"""Whatever is sent, the receiver answers as documented, and never 500.

`python -m bench.fuzz_receiver` does the same against a process, for as long as one likes.
"""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.signing import digest
from lightfast_pipelines.store.database import Database
from tests.depth import examples
from tests.webhook_receiver.serving import (
    SECRET,
    deliver,
    everything_from,
    raw_request,
    ready_receiver,
)

ANSWERS = {"200", "400", "401", "404", "405", "408", "411", "413", "422", "431"}

_HEADERS = {
    "github": ("x-hub-signature-256", "sha256=", "sha256"),
    "vercel": ("x-vercel-signature", "", "sha1"),
    "linear": ("linear-signature", "", "sha256"),
    "sentry": ("sentry-hook-signature", "", "sha256"),
}
# A server's parser refuses control characters before the receiver sees them.
_VALUES = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40
)
_NAMES = st.sampled_from(
    sorted({name for provider in discover().values() for name in provider.kept_headers})
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=[]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "action", "id", "data", "payload", "webhookTimestamp"]), inner
        )
    ),
    max_leaves=12,
)
_BODIES = st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode())
_PATHS = st.sampled_from(
    [
        *(f"/webhooks/{name}" for name in discover()),
        *("/webhooks/github/none", "/webhooks/github/", "/webhooks/", "/webhooks/none", "/"),
    ]
)


def test_the_signature_of_every_provider_is_fuzzed() -> None:
    assert set(_HEADERS) == set(discover())


def test_no_request_is_answered_500(database: Database) -> None:
    with ready_receiver(database.url("receiver")) as client:

        @examples(60, suppress=list(HealthCheck))
        @given(
            path=_PATHS,
            method=st.sampled_from(["POST", "POST", "POST", "GET", "PUT"]),
            headers=st.lists(st.tuples(_NAMES, _VALUES), max_size=6),
            body=_BODIES,
            is_signed=st.booleans(),
        )
        def ask(
            path: str, method: str, headers: list[tuple[str, str]], body: bytes, is_signed: bool
        ) -> None:
            provider = path.split("/")[2] if path.count("/") > 1 else ""
            if is_signed and provider in _HEADERS:
                name, prefix, algorithm = _HEADERS[provider]
                headers = [*headers, (name, prefix + digest(body, SECRET.encode(), algorithm))]
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
            head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}"
            with raw_request(client, "") as connection:
                length = f"content-length: {len(body)}\r\n\r\n"
                connection.sendall((head + length).encode("latin-1") + body)
                answer = everything_from(connection)
            status = answer.split(b" ", 2)[1].decode() if answer else "none"
            assert status in ANSWERS, answer[:300]

        ask()
        assert deliver(client).status_code == 200
