"""The local embedder, whose weights come in a wheel: it needs no key and no network."""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightfast_pipelines.embedding.embedder import plain_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Rows of the weights gathered at once: 8,192 tokens of 256 float32 are 8 MiB.
_TOKENS_AT_ONCE = 8_192
_TEXTS_AT_ONCE = 512


class WordLlamaEmbedder:
    """The mean of a text's token vectors (wordllama, 256 dimensions): no network, no GPU, MIT licence.

    Loaded at the first use, once per process. A text's vector depends on that text alone, not on the
    rest of its batch. wordllama's own `embed` pads each batch to its longest text, which needs more
    memory (160 MiB for a text of 10,000 characters) and three times as long.
    """

    name = "wordllama-256"
    dimensions = 256

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(len(texts), 256) float32, rows of length 1; all zeros for a text without a token."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        if not texts:
            return vectors
        weights, tokenizer = weights_and_tokenizer()
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            chunk = [plain_text(text) for text in texts[start : start + _TEXTS_AT_ONCE]]
            encoded = tokenizer.encode_batch_fast(chunk, add_special_tokens=False)
            for rows, tokens in _groups(encoding.ids for encoding in encoded):
                ids = np.clip(np.concatenate(tokens), 0, len(weights) - 1)
                starts = np.cumsum([0, *(len(part) for part in tokens[:-1])])
                sums = np.add.reduceat(weights[ids], starts, axis=0)
                lengths = np.linalg.norm(sums, axis=1, keepdims=True)
                vectors[[start + row for row in rows]] = sums / np.where(lengths > 0, lengths, 1)
        return vectors


def _groups(
    token_lists: Iterable[list[int]],
) -> Iterable[tuple[list[int], list[NDArray[np.int64]]]]:
    """(rows, their token ids), at most _TOKENS_AT_ONCE tokens in each; rows without tokens are left out."""
    import numpy as np

    rows: list[int] = []
    tokens: list[NDArray[np.int64]] = []
    size = 0
    for row, ids in enumerate(token_lists):
        if not ids:
            continue
        if tokens and size + len(ids) > _TOKENS_AT_ONCE:
            yield rows, tokens
            rows, tokens, size = [], [], 0
        rows.append(row)
        tokens.append(np.asarray(ids, np.int64))
        size += len(ids)
    if tokens:
        yield rows, tokens


_loading = threading.Lock()


def weights_and_tokenizer() -> tuple[NDArray[np.float32], Any]:
    with _loading:
        return _load()


@cache
def _load() -> tuple[NDArray[np.float32], Any]:
    """(weights: tokens x 256 float32, tokenizer), from the installed wheel alone.

    By default `WordLlama.load()` looks for the tokenizer in a folder that the wheel does not have,
    then asks huggingface.co. With its package folder as the cache it finds both.
    """
    spec = importlib.util.find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package wordllama is not installed: no local embedder")
    # Its import makes the root logger print everything from INFO on, such as other libraries' requests.
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    import wordllama

    root.handlers[:] = handlers
    root.setLevel(level)
    model = wordllama.WordLlama.load(
        cache_dir=Path(next(iter(spec.submodule_search_locations))), disable_download=True
    )
    model.tokenizer.no_padding()
    return model.embedding, model.tokenizer
