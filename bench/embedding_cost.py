"""What a hosted embedding model costs: tokens of the observations that it embeds, per history.

`python -m bench.embedding_cost [FILE...]`: each file is captured into a fresh database; then the tokens
of what would be sent are counted by the local tokenizer, with the bytes beside them. That tokenizer has
32,000 words, OpenAI's 100,000, so it counts somewhat more. Nothing is sent anywhere. Without files: the
recorded histories beside the checkout.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.capture import ingest_file
from bench.corpus import CORPUS
from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.domain.views import view_texts
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.embedding.openai_embedder import TEXT_BYTES
from lightfast_pipelines.embedding.wordllama_embedder import weights_and_tokenizer
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.hosted_vectors import catch_up

# Dollars for a million tokens, as the provider lists them; check before you count on them.
PRICES = {"text-embedding-3-small": 0.02, "text-embedding-3-large": 0.13}
ROW = "{:<26} {:>12} {:>11} {:>12} {:>12} {:>10} {:>9}"


def sent_texts(database: Database) -> tuple[int, list[list[str]]]:
    """Number of observations, and the texts that are sent for each significant one."""
    with database.connect() as conn:
        while capture(
            conn, days=None, max_rows=5_000, batch_rows=500, now=datetime.now(UTC)
        ).deliveries:
            conn.commit()
        catch_up(conn, "bench-256")
        row = conn.execute("SELECT count(*) FROM lightfast.observations").fetchone()
        rows = conn.execute(
            """
            SELECT o.title, o.content FROM lightfast.hosted_embedding_queue q
            JOIN lightfast.observations o ON o.id = q.observation_id
            """
        ).fetchall()
    # Texts that are the same within a page of observations are sent once; here within an observation.
    return row[0] if row else 0, [[*dict.fromkeys(view_texts(*texts))] for texts in rows]


def main(paths: Sequence[Path]) -> None:
    _, tokenizer = weights_and_tokenizer()
    print(
        ROW.format(
            "history", "observations", "significant", "tokens", "bytes", "tokens/sig.", "$/1,000"
        )
    )
    for path in paths:
        with tempfile.TemporaryDirectory(prefix="lightfast-bench-") as folder:
            server = EmbeddedPostgres(Path(folder) / "home", idle_seconds=5)
            with Database(lease=server.acquire()) as database:
                database.migrate()
                ingest_file(database, path)
                observations, sent = sent_texts(database)
        texts = [text for texts in sent for text in texts]
        cut = [text.encode()[:TEXT_BYTES].decode("utf-8", "ignore") for text in texts]
        tokens = sum(
            len(encoding.ids)
            for start in range(0, len(cut), 512)
            for encoding in tokenizer.encode_batch_fast(
                cut[start : start + 512], add_special_tokens=False
            )
        )
        size = sum(len(text.encode()) for text in cut)
        each = tokens / len(sent) if sent else 0.0
        price = each * 1_000 * PRICES["text-embedding-3-small"] / 1e6
        print(
            ROW.format(
                path.name,
                f"{observations:,}",
                f"{len(sent):,}",
                f"{tokens:,}",
                f"{size:,}",
                f"{each:.0f}",
                f"{price:.4f}",
            )
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.embedding_cost", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    files = parser.parse_args().files or sorted(CORPUS.glob("*.jsonl.gz"))
    if not files:
        sys.exit(f"no files given, and none in {CORPUS}")
    main(files)
