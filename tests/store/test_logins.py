"""A process gets the logins and keys that it needs, and no others."""

from __future__ import annotations

from lightfast_pipelines.store.logins import environment_of


def test_the_receiver_gets_no_key_of_a_model() -> None:
    keys = {"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "b", "PINECONE_API_KEY": "c"}
    environment = {"GITHUB_WEBHOOK_SECRET": "d", **keys}
    assert environment_of("receiver", environment) == {"GITHUB_WEBHOOK_SECRET": "d"}
    assert environment_of("pipeline", environment) == environment
