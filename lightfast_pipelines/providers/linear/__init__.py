"""Linear: verification, routing and reading of its webhooks.

`PROVIDER` is what `discover` finds; nothing outside this folder imports its modules.
"""

from __future__ import annotations

from lightfast_pipelines.providers.linear.provider import Linear

PROVIDER = Linear()
