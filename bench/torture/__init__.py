"""Breaks a running `lightfast up` in every way a machine does, and checks that nothing was lost.

`python -m bench.torture --seed 7`. The seed alone decides what is sent and which fault comes when.
"""

import sys

LIGHTFAST = (sys.executable, "-c", "from lightfast_pipelines.cli import app; app()")
