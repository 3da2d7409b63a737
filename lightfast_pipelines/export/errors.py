"""Why an export is refused or fails; the message is one line for a person and says what to do."""

from __future__ import annotations


class ExportError(Exception):
    """An export that cannot be made. The files that are there stay as they were."""
