"""Random changes in a `World`, reproducible by their seed.

How each thing is done, kept and told stands in `linear_world.py`.
"""

from __future__ import annotations

from typing import Any

from tests.servers.linear_ground import Json
from tests.servers.linear_world import World


def lived(seed: int, steps: int = 60, *, teams: int = 2) -> World:
    """A world after `steps` random changes."""
    world = World(seed)
    del world.teams[teams:]
    for team in world.teams:
        world.cycle(team)
        world.project(world.random.choice(world.people), team)
    for _ in range(steps):
        step = world.random.choices(_STEPS, weights=_WEIGHTS)[0] if world.issues else _make
        step(world)
    return world


def _make(world: World) -> None:
    dice = world.random
    made = world.issue(
        dice.choice(world.teams), dice.choice(world.people), priority=dice.randrange(5)
    )
    number = len(world.issues)
    if number % 3 == 0:
        world.attach(made, made["creator"], f"https://github.com/acme/shop/pull/{number}")
    if number % 4 == 0:
        kind = ("blocks", "duplicate", "related")[number // 4 % 3]
        world.relate(made, world.issues[number - 2], kind)


def _change(world: World) -> None:
    dice = world.random
    by: Json | None = dice.choice([*world.people, world.bot, None])
    issue = dice.choice(world.issues)
    if issue["archivedAt"]:
        world.bring_back(issue, by)
    elif dice.random() < 0.12:
        world.end(issue, by, trash=dice.random() < 0.5)
    else:
        world.change(issue, by, **_changes(world, issue))


def _comment(world: World) -> None:
    dice = world.random
    if not world.comments or dice.random() < 0.5:
        world.comment(dice.choice(world.issues), dice.choice(world.people))
        return
    comment = dice.choice(world.comments)
    if dice.random() < 0.5:
        world.edit(comment, comment["user"])
    elif not comment["resolvedAt"]:
        world.resolve(comment, dice.choice(world.people))


def _project(world: World) -> None:
    dice = world.random
    project, person = dice.choice(world.projects), dice.choice(world.people)
    if project["archivedAt"] or dice.random() < 0.2:
        world.project(person, dice.choice(world.teams))
        return
    if dice.random() < 0.2:
        world.end_project(project, person, trash=dice.random() < 0.5)
        return
    kind = dice.choice(("started", "completed", "canceled", "paused"))
    if kind != project["status"]["type"]:
        world.move(project, kind, person)


def _report(world: World) -> None:
    dice = world.random
    health = dice.choice(("onTrack", "atRisk"))
    update = world.report(dice.choice(world.projects), dice.choice(world.people), health)
    if dice.random() < 0.3:
        world.edit(update, update["user"])


def _cycle(world: World) -> None:
    dice = world.random
    running = [cycle for cycle in world.cycles if not cycle["completedAt"]]
    done = [cycle for cycle in world.cycles if cycle["completedAt"] and not cycle["archivedAt"]]
    if running and dice.random() < 0.4:
        world.end_cycle(dice.choice(running), "completedAt")
    elif done:
        world.end_cycle(dice.choice(done), "archivedAt")
    else:
        world.cycle(dice.choice(world.teams))


_STEPS = (_make, _change, _comment, _project, _report, _cycle)
_WEIGHTS = (4, 9, 5, 1, 1, 1.5)


def _changes(world: World, issue: Json) -> Json:
    """New values for one to three fields."""
    dice = world.random
    choices: dict[str, list[Any]] = {
        "state": list(world.states),
        "assignee": [None, *world.people],
        "delegate": [None, {"id": "app-1", "name": "Agent"}],
        "project": [None, *world.projects],
        "cycle": [None, *world.cycles],
        "projectMilestone": [None, *world.milestones],
        "parent": [None, *(each for each in world.issues if each is not issue)],
        "team": list(world.teams),
        "title": [f"Title {dice.random()}"],
        "priority": list(range(5)),
        "estimate": [None, 1, 2, 3],
        "dueDate": [None, "2024-06-01", "2024-07-01"],
        "description": [f"Text {dice.random()}"],
        "labels": [[], [world.labels[0]], world.labels[:2], world.labels[1:]],
    }
    changes: Json = {}
    for name in dice.sample(sorted(choices), dice.choice((1, 1, 2, 3))):
        others = [choice for choice in choices[name] if choice != issue[name]]
        if others:
            changes[name] = dice.choice(others)
    return changes or {"title": f"Title {dice.random()}"}
