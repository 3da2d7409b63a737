"""All that is special to one provider, one folder each, found by looking at the folders here.

A provider's folder exposes `PROVIDER`, an object that satisfies `contract.Provider`. Nothing outside
its folder names it: route, settings, contract tests and capture come by `discover()`.
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
    """Name -> provider, for every package in this folder, in order of their names."""
    found: dict[str, Provider] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            provider: Provider = importlib.import_module(f"{__name__}.{module.name}").PROVIDER
            found[provider.name] = provider
    return found


def discover_part(module: str, attribute: str) -> dict[str, Any]:
    """Name -> `attribute` of the module or package `module` in a provider's folder, where it has one."""
    found: dict[str, Any] = {}
    for name in discover():
        path = f"{__name__}.{name}.{module}"
        package, _, _ = path.rpartition(".")
        if importlib.util.find_spec(package) and importlib.util.find_spec(path):
            found[name] = getattr(importlib.import_module(path), attribute)
    return found
