"""How much of the disk the embedded server's write-ahead log takes, and how much is left."""

import shutil
from pathlib import Path

from lightfast_pipelines.embedded_postgres.server import EmbeddedPostgres


def disk_use(home: Path) -> tuple[int, int] | None:
    """(bytes of the write-ahead log, bytes free on its disk); None if the home has no database."""
    data = EmbeddedPostgres(home).status().data_dir
    if data is None or not data.exists():
        return None
    wal = 0
    for segment in (data / "pg_wal").iterdir():
        try:
            wal += segment.stat().st_size if segment.is_file() else 0
        except FileNotFoundError:  # the server has just removed it
            continue
    return wal, shutil.disk_usage(data).free
