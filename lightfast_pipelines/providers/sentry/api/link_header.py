"""Sentry's paging headers: the Link header, whose `results` says whether a page holds anything."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LINK = re.compile(r"<[^>]*>((?:\s*;\s*[\w-]+=\"[^\"]*\")*)")
_PARAMETER = re.compile(r"([\w-]+)=\"([^\"]*)\"")


def next_cursor(headers: Mapping[str, str]) -> str | None:
    """The cursor of the next page; None if Sentry says that it is empty."""
    for match in _LINK.finditer(headers.get("link", "")):
        parameters = dict(_PARAMETER.findall(match[1]))
        if parameters.get("rel") == "next" and parameters.get("results") == "true":
            return parameters.get("cursor") or None
    return None


def hits(headers: Mapping[str, str]) -> tuple[int, bool] | None:
    """(total, whether Sentry stopped counting there); None if the total is not given."""
    total, most = headers.get("x-hits", ""), headers.get("x-max-hits", "")
    if not total.isdigit():
        return None
    return int(total), most.isdigit() and int(total) >= int(most) > 0
