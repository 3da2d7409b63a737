"""What a language model would be asked about a history, and in how many tokens: `python -m bench.language_cost`.

Reads files of deliveries (JSON lines of {event, delivery_id, payload}), as `lightfast ingest` does, and
asks nothing. Prints, beside what is done here, what one request for each observation would take.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bench.corpus import deliveries
from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Statement, Understood
from lightfast_pipelines.domain.language_answers import Question, question_of
from lightfast_pipelines.domain.secrets.masking import mask
from lightfast_pipelines.language.observations import MOST_OBSERVATIONS, prompt_about
from lightfast_pipelines.language.port import Prompt
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.significance import DEFAULT_THRESHOLD

# What an answer takes in our own estimate is a bound; a label with a topic and an entity has about this.
TOKENS_OF_AN_ANSWER = 60


def statements(path: Path, provider_name: str) -> Iterator[Statement]:
    """What the deliveries of a file state; those that are filtered or cannot be read state nothing."""
    provider = discover()[provider_name]
    for delivery in deliveries(path):
        reading = provider.read(delivery["event"], delivery["payload"])
        if isinstance(reading, Understood):
            yield from mask(reading).statements


def input_tokens(prompt: Prompt) -> int:
    return prompt.estimated_tokens - prompt.max_tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--provider", default="github")
    arguments = parser.parse_args()
    for path in arguments.files:
        observations, significant = set(), set()
        contents: dict[str, Question] = {}
        asked: dict[str, set[str]] = defaultdict(set)
        for statement in statements(path, arguments.provider):
            observations.add(statement.source_id)
            enriched = enrich(statement)
            if enriched.significance_score < DEFAULT_THRESHOLD:
                continue
            significant.add(statement.source_id)
            question = question_of(statement, enriched)
            if question is not None:
                contents[question.content_hash] = question
                asked[question.content_hash].add(statement.source_id)
        questions = list(contents.values())
        requests = [
            prompt_about(questions[start : start + MOST_OBSERVATIONS])
            for start in range(0, len(questions), MOST_OBSERVATIONS)
        ]
        total = sum(map(input_tokens, requests)) + TOKENS_OF_AN_ANSWER * len(questions)
        alone = {key: input_tokens(prompt_about([question])) for key, question in contents.items()}
        baseline = sum((alone[key] + TOKENS_OF_AN_ANSWER) * len(ids) for key, ids in asked.items())
        in_question = sum(len(ids) for ids in asked.values())
        print(
            f"{path.name}: {len(observations):,} observations, {len(significant):,} significant, "
            f"{in_question:,} asked about by {len(questions):,} contents in {len(requests):,} requests\n"
            f"  {total:,} tokens, {total / max(1, in_question):,.0f} an observation; one request for each "
            f"observation: {baseline:,} tokens, {baseline / max(1, in_question):,.0f} an observation"
        )


if __name__ == "__main__":
    main()
