"""The weights of pair_evidence.py, written by `python -m bench.quality.cluster_training`.

Learnt from 2,266 commits of ipython (2016 to 2021) and 1,421 of starlette.
"""

from __future__ import annotations

# (bias, weights in the order of the features)
BY_ONE_AUTHOR = (
    1.343,
    (
        -0.3627,
        2.551,
        1.213,
        -1.579,
        -1.371,
        0.6905,
        0.4508,
        -0.5305,
        -3.244,
        -0.1506,
        -0.3899,
        0.7437,
        1.568,
        -0.171,
    ),
)
BY_OTHERS = (
    -0.1497,
    (-0.5045, 3.308, 0.5587, -1.693, -1.213, 1.113, 0.2837, 0.128, -2.349, 1.095),
)
# (bias, weight of the first stage's score, weight of the beginnings in between)
SECOND_STAGE = (0.7813, 0.65, -0.8726)
