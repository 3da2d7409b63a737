"""The notebook runs on the demo's story and on a workspace without anything, and its numbers are right."""

from __future__ import annotations

import json
import os
from ast import literal_eval
from typing import Any

import nbformat
import pytest

from lightfast_pipelines.read.notebook import NOTEBOOK, executed, pictures
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.linked_resources import add_workspace
from tests.read.conftest import WORKSPACE

# What the test asks the kernel for after the last cell.
_RESULTS = """
frames = {
    "hours": hours.set_index("number")[["open", "until first review"]].T.round(2),
    "deployed": deployed.sum(),
    "failing": failing.T,
    "together": together.T,
}
print({name: frame.to_json() for name, frame in frames.items()} | {"workspace": workspace})
"""


@pytest.fixture(scope="module")
def of_the_story(story_database: Database) -> nbformat.NotebookNode:
    return run_on(story_database, WORKSPACE)


def run_on(database: Database, workspace: str | None) -> nbformat.NotebookNode:
    """The executed notebook, with a last cell that prints its results."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LIGHTFAST_")},
        "LIGHTFAST_ANALYST_DATABASE_URL": database.url("analyst"),
        **({} if workspace is None else {"LIGHTFAST_WORKSPACE": workspace}),
    }
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(_RESULTS, id="results"))
    return executed(notebook, environment)


def results(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    (printed,) = notebook.cells[-1].outputs
    return {
        name: text if name == "workspace" else json.loads(text)
        for name, text in literal_eval(printed.text).items()
    }


def test_the_notebook_shows_the_story(of_the_story: nbformat.NotebookNode) -> None:
    shown = results(of_the_story)
    assert shown["workspace"] == WORKSPACE
    # #51 was opened at 13:40, reviewed at 15:05, and merged at 23:30 of the next day.
    assert shown["hours"]["51"] == {"open": 33.83, "until first review": 1.42}
    assert shown["hours"]["46"] == {"open": 3.33, "until first review": None}  # merged unread
    assert shown["deployed"]["failed"] == 1
    assert shown["deployed"]["succeeded"] > 5
    charged_twice = {
        release: count
        for release, counts in shown["failing"].items()
        for error, count in counts.items()
        if "DuplicateCharge" in error and count
    }
    assert list(charged_twice.values()) == [6]
    assert shown["together"]["Priya Raman"]["Mira Okafor"] == 3  # she reviewed, and merged
    assert all(counts.get(author, 0) == 0 for author, counts in shown["together"].items())


def test_each_plot_is_a_picture(of_the_story: nbformat.NotebookNode) -> None:
    shown = dict(pictures(of_the_story))
    assert list(shown) == ["cycle-time-plot", "deployments-plot", "errors-plot", "together-plot"]
    assert all(picture.startswith(b"\x89PNG") for picture in shown.values())


def test_a_workspace_without_anything_is_said_to_have_nothing(database: Database) -> None:
    with database.connect("pipeline") as conn:
        add_workspace(conn, "quiet")
        conn.commit()
    notebook = run_on(database, None)
    assert results(notebook)["workspace"] == "quiet"
    assert list(pictures(notebook)) == []
    said = {
        cell.id: output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if cell.id.endswith("-plot")
    }
    assert list(said) == ["cycle-time-plot", "deployments-plot", "errors-plot", "together-plot"]
    assert all("quiet" in text for text in said.values())


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
