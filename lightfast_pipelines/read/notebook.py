"""Runs a notebook on the memory: `python -m lightfast_pipelines.read.notebook [NOTEBOOK] [--to FOLDER]`.

The executed notebook and each of its plots as a PNG go into the folder; the notebook itself stays as it is.
`make notebook` calls this.
"""

from __future__ import annotations

import argparse
import base64
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lightfast_pipelines.read.analyst_connection import connect
from lightfast_pipelines.read.errors import ReadError
from lightfast_pipelines.read.from_tables import table

if TYPE_CHECKING:
    from nbformat import NotebookNode

CHECKOUT = Path(__file__).parents[2]
NOTEBOOK = CHECKOUT / "docs" / "notebook.ipynb"
_CELL_SECONDS = 600


def executed(notebook: NotebookNode, environment: Mapping[str, str] | None = None) -> NotebookNode:
    """The notebook with the outputs of its cells, which a kernel of this interpreter ran.

    Raises nbclient's CellExecutionError, which shows the cell at fault and its traceback.
    """
    from nbclient import NotebookClient
    from traitlets.config import Config

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=_CELL_SECONDS,
        resources={"metadata": {"path": str(CHECKOUT)}},
        # By default the kernel listens on TCP, where others of the machine could read along.
        config=Config({"KernelManager": {"transport": "ipc"}}),
    )
    kernel = {} if environment is None else {"env": dict(environment)}
    return client.execute(**kernel)


def pictures(notebook: NotebookNode) -> Iterator[tuple[str, bytes]]:
    """The id of each cell that shows a plot, and the plot as a PNG."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                yield cell.id, base64.b64decode(output.data["image/png"])


def ensure_something_to_show() -> None:
    """Loads the demo's story if the configured home is embedded and has no workspace yet."""
    from lightfast_pipelines.settings import settings

    try:
        with connect() as memory:
            if len(table("workspaces", on=memory)):
                return
    except ReadError:  # no database yet
        if not settings().is_embedded:
            raise
    print("no workspace yet: loading the demo's sample story, which takes a minute")  # noqa: T201
    subprocess.run([Path(sys.executable).with_name("lightfast"), "demo", "--once"], check=True)


def main() -> None:
    import nbformat

    parser = argparse.ArgumentParser(description="Run a notebook on the memory.")
    parser.add_argument("notebook", nargs="?", type=Path, default=NOTEBOOK)
    parser.add_argument("--to", type=Path, default=CHECKOUT / "build" / "notebook")
    chosen = parser.parse_args()
    ensure_something_to_show()
    notebook = executed(nbformat.read(chosen.notebook, as_version=4))
    chosen.to.mkdir(parents=True, exist_ok=True)
    written = [chosen.to / chosen.notebook.name]
    nbformat.write(notebook, written[0])
    for name, picture in pictures(notebook):
        written.append(chosen.to / f"{name}.png")
        written[-1].write_bytes(picture)
    print("wrote", *written, sep="\n  ")  # noqa: T201


if __name__ == "__main__":
    main()
