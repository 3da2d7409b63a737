"""The weights of pair_evidence.py, written by `python -m bench.quality.cluster_training`.

Learnt from 2,266 commits of ipython (2016 to 2021) and 1,421 of starlette.
"""

from __future__ import annotations

# (bias, weights in the order of the features)
BY_ONE_AUTHOR = (
    1.219,
    (
        -0.365,
        6.663,
        0.9883,
        -1.47,
        -1.492,
        0.6797,
        0.5143,
        -0.53,
        -3.287,
        -0.4223,
        0.7599,
        1.578,
        -0.1729,
    ),
)
BY_OTHERS = (
    -0.1258,
    (-0.5058, 7.107, 0.6174, -2.498, -1.249, 1.067, 0.3371, 0.04722, -2.298, 1.08),
)
# (bias, weight of the first stage's score, weight of the beginnings in between)
SECOND_STAGE = (0.8246, 0.6488, -0.9094)
