"""Backlogs, which go to the provider as batches: answered within a day, for half the price.

A batch is noted before it is submitted, and its id as soon as it is known. So a run that is killed in
between finds its batch among the provider's, and nothing is paid for twice.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from lightfast_pipelines.domain.language_answers import PURPOSE
from lightfast_pipelines.language.asking import Asker
from lightfast_pipelines.language.contents import (
    OBSERVATIONS,
    Content,
    distinct_contents,
)
from lightfast_pipelines.language.observations import PROMPT_VERSION
from lightfast_pipelines.language.parts import answers_in, requests_about
from lightfast_pipelines.language.port import (
    ModelUnavailableError,
    PromptRejectedError,
    PromptResult,
    TokenCounts,
)
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_answers import (
    NewAnswer,
    count_open,
    open_questions,
    questions_about,
    store_answers,
)
from lightfast_pipelines.store.model_batches import (
    BatchedContent,
    OpenBatch,
    add_batch,
    batched_contents,
    name_batch,
    open_batches,
    remove_batch,
)
from lightfast_pipelines.store.model_usage import record_usage

_log = logging.getLogger(__name__)

BACKLOG = 400
"""Fewer open questions are asked at once: twenty requests, in a minute or two."""

_MOST_REQUESTS = 100
_SHARE = 2_000
# Clocks differ, and a list of batches may not show the newest at once.
_CLOCKS = timedelta(hours=1)
_LISTED_AFTER = timedelta(minutes=2)


def submit_backlog(conn: Connection, asker: Asker) -> int:
    """Submits batches until few open questions are left or the budget does not suffice for another.

    Returns the number of batches.
    """
    submitted = 0
    while (
        count_open(conn, PURPOSE, PROMPT_VERSION, asker.clock(), most=BACKLOG + 1) > BACKLOG
        and (requests := _affordable(conn, asker))
        and _submit(conn, asker, requests)
    ):
        submitted += 1
    conn.rollback()
    return submitted


def _affordable(conn: Connection, asker: Asker) -> list[Sequence[Content]]:
    """As many requests as a batch may have and the budget allows, of the most significant contents."""
    page = open_questions(conn, PURPOSE, PROMPT_VERSION, asker.clock(), share=_SHARE)
    left = asker.left()
    requests = []
    contents = distinct_contents([question for question in page if not question.is_settled])
    for request in requests_about(OBSERVATIONS, contents)[:_MOST_REQUESTS]:
        left -= OBSERVATIONS.prompt(request).estimated_tokens
        if left < 0:
            break
        requests.append(request)
    return requests


def _submit(conn: Connection, asker: Asker, requests: Sequence[Sequence[Content]]) -> bool:
    """Submits a batch; returns whether the provider took it. Raises NotAskedError."""
    now = asker.clock()
    prompts = {
        _custom_id(request, now): (request, OBSERVATIONS.prompt(request)) for request in requests
    }
    tokens = sum(prompt.estimated_tokens for _, prompt in prompts.values())
    day = asker.reserve(tokens)
    batch = add_batch(
        conn,
        provider=asker.model.provider,
        model=asker.model.name,
        purpose=PURPOSE,
        prompt_version=PROMPT_VERSION,
        day=day,
        reserved_tokens=tokens,
        requests={
            custom_id: [
                BatchedContent(content.key, content.observations[0].observation_id)
                for content in request
            ]
            for custom_id, (request, _) in prompts.items()
        },
        now=now,
    )
    conn.commit()
    try:
        submitted = asker.model.submit(
            {custom_id: prompt for custom_id, (_, prompt) in prompts.items()}
        )
    except PromptRejectedError as error:
        _log.warning("a batch of %d requests was rejected: %s", len(requests), error)
        _forget(conn, asker, batch, error=str(error))
        return False
    except ModelUnavailableError as error:
        if not error.maybe_paid:
            remove_batch(conn, batch)
        asker.give_up(error, day, 0 if error.maybe_paid else tokens)
    name_batch(conn, batch, submitted.id)
    conn.commit()
    return True


def _custom_id(request: Sequence[Content], now: datetime) -> str:
    """64 characters that no other batch has, so that a batch found at the provider can be told apart."""
    hashes = "".join(f"{workspace}:{content}" for workspace, content in (c.key for c in request))
    return hashlib.sha256(f"{now.isoformat()} {hashes}".encode()).hexdigest()


def read_batches(conn: Connection, asker: Asker) -> list[Content]:
    """Stores the answers of batches that are over. Raises NotAskedError.

    Returns the contents of requests that brought no answer at all, to be asked about in smaller ones.
    """
    useless: list[Content] = []
    try:
        for batch in open_batches(conn, asker.model.provider, PURPOSE):
            conn.rollback()
            useless += _read(conn, asker, batch)
    except ModelUnavailableError as error:
        conn.rollback()
        asker.give_up(error, asker.today(), 0)
    conn.rollback()
    return useless


def _read(conn: Connection, asker: Asker, batch: OpenBatch) -> list[Content]:
    batch_id = batch.batch_id or _find(conn, asker, batch)
    if batch_id is None:
        return []
    submitted = asker.model.batch(batch_id)
    if submitted is None:
        # The provider keeps results for weeks: somebody deleted it. What it used is not known.
        _forget(conn, asker, batch, keeps_reservation=True, error="a batch is gone")
        return []
    if not submitted.is_over:
        return []
    contents = batched_contents(conn, batch)
    conn.rollback()
    results = [result for result in asker.model.results(batch_id) if result.custom_id in contents]
    return _store(conn, asker, batch, contents, results)


def _find(conn: Connection, asker: Asker, batch: OpenBatch) -> str | None:
    """The provider's id of a batch that a killed run submitted; if it never did, the batch is forgotten."""
    known = {other.batch_id for other in open_batches(conn, asker.model.provider, PURPOSE)}
    conn.rollback()
    for submitted in asker.model.recent_batches(batch.created_at - _CLOCKS):
        if submitted.requests == batch.requests and submitted.id not in known:
            if not submitted.is_over:
                return None  # its custom ids are shown with its results
            names = batched_contents(conn, batch)
            conn.rollback()
            if all(result.custom_id in names for result in asker.model.results(submitted.id)):
                name_batch(conn, batch, submitted.id)
                conn.commit()
                return submitted.id
    if asker.clock() - batch.created_at > _LISTED_AFTER:
        _forget(conn, asker, batch)
    return None


def _store(
    conn: Connection,
    asker: Asker,
    batch: OpenBatch,
    contents: dict[str, dict[int, BatchedContent]],
    results: Sequence[PromptResult],
) -> list[Content]:
    """Stores what came of the batch, and forgets it, in one transaction."""
    answers: list[NewAnswer] = []
    useless: list[int] = []
    tokens = TokenCounts()
    for result in results:
        asked = [content for _, content in sorted(contents[result.custom_id].items())]
        read: list[NewAnswer] | str = "rejected"
        if result.reply is not None:
            keys = [content.key for content in asked]
            read = answers_in(result.reply, keys, partial(OBSERVATIONS.read, items=asked))
            tokens = tokens + result.reply.tokens
        if not isinstance(read, str):
            answers += read
        elif result.reply is not None or result.rejected:
            useless += [c.observation_id for c in asked if c.observation_id is not None]
    store_answers(conn, PURPOSE, batch.prompt_version, batch.model, answers, asker.clock())
    _forget(conn, asker, batch, tokens=tokens, requests=len(results))
    if answers:
        asker.was_useful()
    return distinct_contents(questions_about(conn, PURPOSE, PROMPT_VERSION, useless))


def _forget(
    conn: Connection,
    asker: Asker,
    batch: OpenBatch,
    *,
    tokens: TokenCounts | None = None,
    requests: int = 0,
    keeps_reservation: bool = False,
    error: str | None = None,
) -> None:
    """Removes the batch, records what it used, and commits."""
    used = tokens or TokenCounts()
    remove_batch(conn, batch)
    record_usage(
        conn,
        day=batch.day,
        provider=asker.model.provider,
        model=batch.model,
        purpose=PURPOSE,
        requests=requests,
        input_tokens=used.input,
        output_tokens=used.output,
        cached_tokens=used.cached,
        failures=int(error is not None),
        error=error,
        reserved_tokens=0 if keeps_reservation else -batch.reserved_tokens,
    )
    conn.commit()
