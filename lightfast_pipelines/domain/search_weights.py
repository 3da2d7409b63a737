"""The weights of search, written by `python -m bench.retrieval --learn`.

Learnt from known items of starlette and ipython, which name nothing and prefer no type: what
names and types count, and significance and age, is set.
"""

from __future__ import annotations

# Of the fast mode: of each path's reciprocal rank.
FUSION = {"text": 1, "vectors": 0.6, "entities": 1, "people": 0.5, "clusters": 0.2}
SIGNIFICANCE = 0.05
AGE = 0.02
PREFERRED = 0.2
ABOUT_NAMED = 1.0
BY_NAMED = 0.2
# Of the balanced mode, in the order of the features.
BALANCED = (
    0,  # text
    0.2,  # coverage
    0.2,  # similarity
    0.3,  # entities
    1,  # cluster
    0.05,  # significance
    -0.02,  # age
    1,  # about a thing named
    0.2,  # by a person named
    0.1,  # preferred type
)
# (bias, weights of what confidence is made of), and the least that is an answer.
CONFIDENCE = (-7.952, (5.413, 5.693, 7.636, 0.102))
LEAST_CONFIDENCE = 0.482
