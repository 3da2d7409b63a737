"""Projects of a small organization at Linear, the reports on them, and cycles."""

from __future__ import annotations

from datetime import timedelta

from tests.servers.linear_ground import Json, LinearGround, link, text_of


class LinearPlanning(LinearGround):
    def project(self, creator: Json, *teams: Json) -> Json:
        at, number = self.tick(), len(self.projects) + 1
        item: Json = {
            "id": f"project-{number}",
            "createdAt": at,
            "updatedAt": at,
            "archivedAt": None,
            "trashed": None,
            "name": f"Project {number}",
            "description": "From cart to receipt.",
            "slugId": f"0c0ffee{number}",
            "url": f"https://linear.app/acme/project/{number}-0c0ffee{number}",
            "health": None,
            "healthUpdatedAt": None,
            "priority": 0,
            "startDate": None,
            "targetDate": None,
            "startedAt": None,
            "completedAt": None,
            "canceledAt": None,
            "creator": creator,
            "lead": self.people[0],
            "status": _status("planned"),
            "teams": list(teams) or [self.teams[0]],
            "members": [creator],
        }
        item["accessibleTeams"] = item["teams"]
        self.projects.append(item)
        self.send("Project", "create", self._project_data(item), at, item["url"], creator)
        return item

    def move(self, project: Json, kind: str, by: Json) -> None:
        at = self.tick()
        updated_from = {"statusId": project["status"]["id"], "updatedAt": project["updatedAt"]}
        project["status"], project["updatedAt"] = _status(kind), at
        name = {"started": "startedAt", "completed": "completedAt", "canceled": "canceledAt"}
        if kind in name:
            project[name[kind]] = at
        data = self._project_data(project)
        self.send("Project", "update", data, at, project["url"], by, updated_from)

    def end_project(self, project: Json, by: Json, *, trash: bool) -> None:
        at = self.tick()
        project["archivedAt"], project["trashed"] = at, True if trash else None
        action, updated_from = ("remove", None) if trash else ("update", {"archivedAt": None})
        data = self._project_data(project)
        self.send("Project", action, data, at, project["url"], by, updated_from)

    def _project_data(self, project: Json) -> Json:
        left_out = ("creator", "lead", "status", "teams", "members", "accessibleTeams")
        data = {name: value for name, value in project.items() if name not in left_out}
        link(data, project, "creator", "lead", "status")
        data["teamIds"] = [team["id"] for team in project["teams"]]
        return data | {"memberIds": [member["id"] for member in project["members"]]}

    def report(self, project: Json, by: Json, health: str) -> Json:
        at, number = self.tick(), len(self.updates) + 1
        item: Json = {
            "id": f"update-{number}",
            "createdAt": at,
            "updatedAt": at,
            "editedAt": None,
            "archivedAt": None,
            "body": f"The cart is done ({number}).",
            "health": health,
            "url": f"{project['url']}/updates#{number}",
            "user": by,
            "project": project,
        }
        self.updates.append(item)
        self.send("ProjectUpdate", "create", self._update_data(item), at, item["url"], by)
        self._change_health(project, health, at, by)
        return item

    def _change_health(self, project: Json, health: str, at: str, by: Json) -> None:
        """As Linear does after a report: the project's `updatedAt` stays what it was."""
        before = {name: project[name] for name in ("health", "healthUpdatedAt")}
        project |= {"health": health, "healthUpdatedAt": at}
        if health != before["health"]:
            data = self._project_data(project)
            self.send("Project", "update", data, at, project["url"], by, before)

    def _update_data(self, update: Json) -> Json:
        kept = ("id", "createdAt", "updatedAt", "editedAt", "body", "health")
        data = {name: update[name] for name in kept}
        link(data, update, "user")
        project = {name: update["project"][name] for name in ("id", "name", "url")}
        teams = [{"id": team["id"]} for team in update["project"]["teams"]]
        data |= {"projectId": project["id"], "project": project}
        return data | {"infoSnapshot": {"teamsInfo": teams}}

    def cycle(self, team: Json) -> Json:
        at, number = self.tick(), len(self.cycles) + 1
        item: Json = {
            "id": f"cycle-{number}",
            "createdAt": at,
            "updatedAt": at,
            "archivedAt": None,
            "completedAt": None,
            "number": number,
            "name": None,
            "description": None,
            "startsAt": text_of(self.now + timedelta(days=self.random.choice((-1, 7)))),
            "endsAt": text_of(self.now + timedelta(days=21)),
            "team": team,
        }
        self.cycles.append(item)
        self.send("Cycle", "create", self._cycle_data(item), at, None, None)
        return item

    def end_cycle(self, cycle: Json, name: str, by: Json | None = None) -> None:
        """`completedAt` or `archivedAt`."""
        at = self.tick()
        cycle[name] = at
        if name == "completedAt":
            cycle["updatedAt"] = cycle["endsAt"] = at
        self.send("Cycle", "update", self._cycle_data(cycle), at, None, by, {name: None})

    def _cycle_data(self, cycle: Json) -> Json:
        data = {name: value for name, value in cycle.items() if name != "team"}
        link(data, cycle, "team")
        return data


def _status(kind: str) -> Json:
    return {"id": f"status-{kind}", "name": kind.title(), "type": kind}
