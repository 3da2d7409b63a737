"""The local embedder: odd texts, and vectors that depend on their text alone."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder


def test_texts_with_one_meaning_are_closer_than_texts_with_two() -> None:
    a, b, c = WordLlamaEmbedder().embed(
        ["Fix the login timeout", "Sign-in timed out: repair it", "Add a chart of monthly sales"]
    )
    assert a @ b > a @ c


def test_a_vector_does_not_depend_on_the_rest_of_its_batch() -> None:
    embedder = WordLlamaEmbedder()
    texts = ["Fix parser", "word " * 9_000, "", "Release 2.1"] * 300
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts[:4]])
    assert np.array_equal(together[:4], alone)
    assert np.array_equal(together[-4:], alone)


def test_texts_without_words_become_zeros_and_odd_characters_cause_no_error() -> None:
    vectors = WordLlamaEmbedder().embed(["", "a\0b", "\ud800", "🦉" * 50])
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.allclose(lengths, [0, 1, 1, 1])
    assert vectors.dtype == np.float32
    assert WordLlamaEmbedder().embed([]).shape == (0, 256)


def test_loading_the_model_leaves_the_logging_of_the_process_as_it_was() -> None:
    code = """
import logging
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
WordLlamaEmbedder().embed(["a"])
print(logging.getLogger().handlers, logging.getLogger().level == logging.WARNING)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] True"
