"""The weights of pair_evidence.py, written by `python -m bench.quality.cluster_training`.

Learnt from 2,266 commits of ipython (2016 to 2021) and 1,421 of starlette.
"""

from __future__ import annotations

# (bias, weights in the order of the features)
BY_ONE_AUTHOR = (
    1.517,
    (
        -0.3631,
        2.644,
        1.217,
        -1.597,
        -1.4,
        0.7022,
        0.4007,
        -0.5607,
        -3.264,
        -0.1566,
        -0.3923,
        0.6993,
        1.575,
        -0.1703,
    ),
)
BY_OTHERS = (
    -0.7061,
    (-0.5067, 3.531, 0.6072, -1.547, -0.9665, 1.194, 0.5453, 0.2811, -2.222, 1.055),
)
# (bias, weight of the first stage's score, weight of the beginnings in between)
SECOND_STAGE = (0.7754, 0.6533, -0.8666)
