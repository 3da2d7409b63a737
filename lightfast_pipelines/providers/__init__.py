"""What is specific to each provider: one folder per provider, which `discover()` finds.

A provider's folder exposes `PROVIDER`, an object of a `webhook_contract.Provider`. Nothing outside its
folder imports it: the receiver's route, settings, contract tests and capture use `discover()`.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from functools import cache
from typing import Any

from lightfast_pipelines.providers.webhook_contract import Provider


@cache
def discover() -> dict[str, Provider]:
    """Name -> provider, for every package in this folder, sorted by name."""
    providers: dict[str, Provider] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            provider: Provider = importlib.import_module(f"{__name__}.{module.name}").PROVIDER
            providers[provider.name] = provider
    return providers


def discover_part(module: str, attribute: str) -> dict[str, Any]:
    """Name -> `attribute` of the module or package `module`, for each provider whose folder has one."""
    parts: dict[str, Any] = {}
    for name in discover():
        path = f"{__name__}.{name}.{module}"
        package, _, _ = path.rpartition(".")
        if importlib.util.find_spec(package) and importlib.util.find_spec(path):
            parts[name] = getattr(importlib.import_module(path), attribute)
    return parts
