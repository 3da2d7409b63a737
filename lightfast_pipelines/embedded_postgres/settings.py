"""Server settings for a developer's two cores that take 10,000 inserts of 10 KB a second."""

import os
from collections.abc import Mapping
from pathlib import Path

PORT = 5432

DEFAULTS: Mapping[str, str] = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",
    # 100 MB/s of bodies fill the default of 1 GB every ten seconds, each time with a checkpoint.
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "wal_buffers": "16MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    # The binaries lack lz4, and pglz costs more processor than these writes have to spare.
    "wal_compression": "off",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum": "on",
    # A session whose process was killed ends, and lets go of its locks, also within a long statement.
    "client_connection_check_interval": "2s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}

# A container's /dev/shm is often 64 MB; a parallel index build then fails ("could not resize").
SMALL_SHARED_MEMORY = 512 * 1024 * 1024


def command_line(socket_dir: Path, overrides: Mapping[str, str]) -> list[str]:
    settings = {**DEFAULTS, **_dynamic_shared_memory(), **overrides}
    quoted = '"' + str(socket_dir).replace('"', '""') + '"'
    # Last, so that no override opens a network port or moves the socket.
    settings |= {
        "listen_addresses": "",
        "unix_socket_directories": quoted,
        "port": str(PORT),
    }
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _dynamic_shared_memory() -> Mapping[str, str]:
    try:
        found = os.statvfs("/dev/shm")  # noqa: S108 - only its size is asked
    except FileNotFoundError:
        return {}
    small = found.f_blocks * found.f_frsize < SMALL_SHARED_MEMORY
    return {"dynamic_shared_memory_type": "mmap"} if small else {}
