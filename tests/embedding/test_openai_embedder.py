"""OpenAI's own client against a local server of its wire format: limits, faults, and what is checked."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from lightfast_pipelines.embedding.embedder import RefusedTextError
from lightfast_pipelines.embedding.openai_embedder import OpenAIEmbedder, openai_embedder
from lightfast_pipelines.inbox.isolation import ServiceUnavailableError
from lightfast_pipelines.settings import Settings
from tests.servers.openai import KEY, Embeddings, serve_openai, vector_of
from tests.servers.serving import Fault, Served

_opened: list[OpenAIEmbedder] = []


@pytest.fixture
def openai() -> Iterator[tuple[Served, Embeddings]]:
    with serve_openai() as served_and_account:
        yield served_and_account
        while _opened:
            _opened.pop().close()


class Pauses(list[float]):
    """Takes the place of sleeping."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def _embedder(
    served: Served,
    *,
    key: str = KEY,
    dimensions: int = 64,
    pauses: Pauses | None = None,
    timeout_seconds: float = 30.0,
) -> OpenAIEmbedder:
    embedder = OpenAIEmbedder(
        key,
        dimensions=dimensions,
        url=served.url,
        timeout_seconds=timeout_seconds,
        sleep=Pauses() if pauses is None else pauses,
    )
    _opened.append(embedder)
    return embedder


def test_each_text_gets_its_own_vector_whatever_the_order_of_the_answer(
    openai: tuple[Served, Embeddings],
) -> None:
    served, account = openai
    account.shuffled = True
    vectors = _embedder(served).embed(["one", "", "two three", " \n", "four", "one"])
    assert vectors.dtype == np.float32
    assert np.allclose(vectors[0], vector_of("one", 64), atol=1e-6)
    assert np.allclose(vectors[2], vector_of("two three", 64), atol=1e-6)
    assert np.allclose(vectors[4], vector_of("four", 64), atol=1e-6)
    assert np.array_equal(vectors[5], vectors[0])
    assert not vectors[[1, 3]].any()
    assert account.inputs == [["one", "two three", "four", "one"]]
    [request] = served.asked
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_a_server_that_knows_no_base64_is_understood_too(
    openai: tuple[Served, Embeddings],
) -> None:
    served, account = openai
    account.knows_base64 = False
    assert np.allclose(_embedder(served).embed(["one"])[0], vector_of("one", 64), atol=1e-6)


def test_requests_stay_within_the_limits_of_texts_and_tokens(
    openai: tuple[Served, Embeddings],
) -> None:
    served, account = openai
    long_texts = ["x" * 10_000, "🦉" * 10_000, "plain"] * 20
    embedder = _embedder(served)
    vectors = embedder.embed(long_texts)
    assert vectors.shape == (60, 64)
    assert [len(inputs) for inputs in account.inputs] == [54, 6]
    assert account.inputs[0][1] == "🦉" * 2_047
    account.inputs.clear()
    embedder.embed([str(number) for number in range(2_049)])
    assert [len(inputs) for inputs in account.inputs] == [1_024, 1_024, 1]
    usage = embedder.take_usage()
    assert (usage.requests, usage.failures) == (5, 0)
    assert usage.tokens == 20 * (8_191 + 2_047 * 4 + 5) + sum(len(str(n)) for n in range(2_049))
    assert embedder.take_usage().requests == 0


FAULTS: dict[str, Fault] = {
    "error 500": Fault(status=500),
    "error 503": Fault(status=503, headers={"retry-after": "2"}),
    "too many requests": Fault(status=429, headers={"retry-after": "2"}),
    "truncated": Fault(status=200, truncated=True, body=b'{"object": "list", "data": [{"object'),
    "other JSON": Fault(status=200, body={"object": "list", "data": None}),
    "a web page": Fault(status=200, body=b"<html>", headers={"content-type": "text/html"}),
    "cut connection": Fault(status=200, cut=True, body=b'{"object": "list"'),
    "time-out": Fault(hangs=True),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_passes_is_asked_again_and_one_that_lasts_ends_as_an_unavailable_service(
    name: str, openai: tuple[Served, Embeddings]
) -> None:
    served, _ = openai
    fault = replace(FAULTS[name])
    pauses = Pauses()
    # Short only where nothing answers: a busy machine may take long to answer.
    timeout = 1.0 if fault.hangs else 30.0
    embedder = _embedder(served, pauses=pauses, timeout_seconds=timeout)
    served.faults.append(fault)
    assert np.allclose(embedder.embed(["one"])[0], vector_of("one", 64), atol=1e-6)
    assert pauses == ([2.0] if fault.headers.get("retry-after") else [0.5])
    fault.times = 10
    with pytest.raises(ServiceUnavailableError):
        embedder.embed(["one"])
    usage = embedder.take_usage()
    assert (usage.requests, usage.failures) == (5, 4)
    assert usage.error


def test_a_pause_that_is_too_long_is_left_to_a_later_run(
    openai: tuple[Served, Embeddings],
) -> None:
    served, _ = openai
    pauses = Pauses()
    served.faults.append(Fault(status=429, headers={"retry-after": "600"}))
    with pytest.raises(ServiceUnavailableError, match="OpenAI answered 429"):
        _embedder(served, pauses=pauses).embed(["one"])
    assert pauses == []
    assert served.count() == 1


def test_a_wrong_key_is_not_tried_again_and_shown_nowhere(
    openai: tuple[Served, Embeddings],
) -> None:
    served, _ = openai
    embedder = _embedder(served, key="sk-other-secret")
    with pytest.raises(ServiceUnavailableError, match="check OPENAI_API_KEY") as raised:
        embedder.embed(["one"])
    assert served.count() == 1
    shown = "".join(traceback.format_exception(raised.value)) + repr(embedder)
    assert "sk-" not in shown
    assert "sk-" not in str(embedder.take_usage())


def test_vectors_of_other_dimensions_are_refused_with_what_to_check(
    openai: tuple[Served, Embeddings],
) -> None:
    served, account = openai
    account.dimensions = 8
    with pytest.raises(ServiceUnavailableError, match=r"8 dimensions where 64 .* OPENAI_API_URL"):
        _embedder(served).embed(["one"])


def test_fewer_vectors_than_texts_are_no_answer(openai: tuple[Served, Embeddings]) -> None:
    served, account = openai
    account.missing = 1
    with pytest.raises(ServiceUnavailableError, match="1 vectors to 2 texts"):
        _embedder(served).embed(["one", "two"])


def test_a_vector_that_is_not_a_number_or_a_refused_text_is_the_fault_of_a_text(
    openai: tuple[Served, Embeddings],
) -> None:
    served, account = openai
    account.not_a_number_for, account.refused = "nan", "secret-plan"
    embedder = _embedder(served)
    with pytest.raises(RefusedTextError, match="not of length 1"):
        embedder.embed(["one", "nan"])
    with pytest.raises(RefusedTextError, match="400") as raised:
        embedder.embed(["one", "secret-plan"])
    assert "secret-plan" not in str(raised.value)
    assert served.count() == 2


def test_the_settings_choose_model_dimensions_and_address() -> None:
    assert openai_embedder(Settings()) is None
    chosen = openai_embedder(
        Settings(OPENAI_API_KEY="sk-x", LIGHTFAST_OPENAI_MODEL="text-embedding-3-large")
    )
    assert chosen is not None
    assert (chosen.name, chosen.dimensions) == ("text-embedding-3-large-3072", 3072)
    smaller = openai_embedder(Settings(OPENAI_API_KEY="sk-x", LIGHTFAST_OPENAI_DIMENSIONS=512))
    assert smaller is not None
    assert (smaller.name, smaller.dimensions) == ("text-embedding-3-small-512", 512)


def test_a_question_can_be_embedded_by_a_former_model_that_still_serves() -> None:
    settings = Settings(OPENAI_API_KEY="sk-x", LIGHTFAST_OPENAI_MODEL="text-embedding-3-large")
    former = openai_embedder(settings, "text-embedding-3-small-512")
    assert former is not None
    assert (former.name, former.dimensions) == ("text-embedding-3-small-512", 512)
    assert openai_embedder(settings, "wordllama-256") is None
    assert openai_embedder(Settings(), "text-embedding-3-small-512") is None
