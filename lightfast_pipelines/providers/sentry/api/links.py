"""The Link header as Sentry writes it: each link says by `results` whether there is anything behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LINK = re.compile(r"<[^>]*>((?:\s*;\s*[\w-]+=\"[^\"]*\")*)")
_PARAMETER = re.compile(r"([\w-]+)=\"([^\"]*)\"")


def following(headers: Mapping[str, str]) -> str | None:
    """The cursor of the next page; None where Sentry says that it holds nothing."""
    for match in _LINK.finditer(headers.get("link", "")):
        parameters = dict(_PARAMETER.findall(match[1]))
        if parameters.get("rel") == "next" and parameters.get("results") == "true":
            return parameters.get("cursor") or None
    return None


def hits(headers: Mapping[str, str]) -> tuple[int, bool] | None:
    """(how many there are in all, whether that is all that Sentry counts to); None: not told."""
    found, most = headers.get("x-hits", ""), headers.get("x-max-hits", "")
    if not found.isdigit():
        return None
    return int(found), most.isdigit() and int(found) >= int(most) > 0
