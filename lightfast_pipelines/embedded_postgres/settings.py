"""Server settings with which two cores store 10,000 bodies of 10 KB a second."""

import os
from collections.abc import Mapping
from pathlib import Path

PORT = 5432

DEFAULTS: Mapping[str, str] = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",
    # A load keeps at most this; 100 MB/s of bodies then cause a checkpoint every five seconds, which was not
    # slower than one every twenty. A smaller value has pages of indexes logged in full more often.
    "max_wal_size": "1GB",
    "min_wal_size": "64MB",
    # Recycled files stay until they are written again: after a load of 350 MB an idle server kept 352 MB for
    # days, and without recycling 16 MB from the next checkpoint on. New files cost nothing that shows.
    "wal_recycle": "off",
    "wal_buffers": "16MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    # The binaries lack lz4, and pglz costs too much processor time.
    "wal_compression": "off",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum": "on",
    # Space of a steady load is used again within seconds, not after a minute.
    "autovacuum_naptime": "15s",
    # Ends the session of a killed process, and so its locks, even during a long statement.
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
    # Applied last, so that no override opens a network port or moves the socket.
    settings |= {"listen_addresses": "", "unix_socket_directories": quoted, "port": str(PORT)}
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _dynamic_shared_memory() -> Mapping[str, str]:
    try:
        memory = os.statvfs("/dev/shm")  # noqa: S108 - only its size is read
    except FileNotFoundError:
        return {}
    small = memory.f_blocks * memory.f_frsize < SMALL_SHARED_MEMORY
    return {"dynamic_shared_memory_type": "mmap"} if small else {}
