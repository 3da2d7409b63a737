"""The weights of search, written by `python -m bench.retrieval --learn`.

Learnt from known items of starlette and ipython, which name nothing and prefer no type: what names and
types count, significance and age, is set. So is all of the fast mode: weights of paths that were learnt
on one project were no better on the other.
"""

from __future__ import annotations

# Of the fast mode: of each path's reciprocal rank, and of the best sum in the cluster; the others are
# shares by which it changes.
FUSION = {"text": 1.0, "vectors": 0.6, "entities": 1.0, "people": 0.5, "clusters": 0.2}
CLUSTER = 1.5
SIGNIFICANCE = 0.01
AGE = 0.01
PREFERRED = 0.03
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
CONFIDENCE = (-7.119, (2.635, 4.132, 2.693, -1.819, 5.027, 3.206, 5.046))
LEAST_CONFIDENCE = 0.472
