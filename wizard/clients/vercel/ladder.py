"""The few changes that leaving Vercel takes, each with its way back but the last."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from wizard.clients.vercel.errors import NotFoundError
from wizard.clients.vercel.models import ProjectDomain
from wizard.clients.vercel.transport import Transport


class Ladder:
    """The rungs of one project. Made by `VercelClient.ladder` only; every change is proven by reading again.

    Raises UnreachableError where it is not known whether a change took effect.
    """

    def __init__(self, transport: Transport, project: str, team: str) -> None:
        self._api = transport
        self._project = project
        self._team = team
        self._at = quote(project, safe="")

    async def disconnect_git(self) -> None:
        """No push reaches Vercel any more. Deploy hooks go with it. No error if it is gone already."""
        try:
            await self._change("DELETE", f"/v9/projects/{self._at}/link", "disconnecting git")
        except NotFoundError:
            return

    async def connect_git(self, type: str, repository: str) -> None:
        """The way back. Deploy hooks do not come back with it."""
        body = {"type": type, "repo": repository}
        await self._change("POST", f"/v9/projects/{self._at}/link", "connecting git", body)

    async def pause(self) -> None:
        """Visitors who still come get 503 from now on."""
        await self._change("POST", f"/v1/projects/{self._at}/pause", "pausing the project")

    async def unpause(self) -> None:
        await self._change("POST", f"/v1/projects/{self._at}/unpause", "taking the pause back")

    async def remove_domain(self, name: str) -> None:
        """From the project only: the account's domain and its zone stay. No error if it is gone."""
        path = f"/v9/projects/{self._at}/domains/{quote(name, safe='')}"
        try:
            await self._change("DELETE", path, f"removing domain {name}", {"removeRedirects": True})
        except NotFoundError:
            return

    async def add_domain(self, domain: ProjectDomain) -> None:
        """The way back; Vercel may want the name verified again."""
        body: dict[str, object] = {"name": domain.name}
        if domain.redirect:
            body |= {"redirect": domain.redirect, "redirectStatusCode": domain.redirect_status or 308}
        if domain.branch:
            body["gitBranch"] = domain.branch
        path = f"/v10/projects/{self._at}/domains"
        await self._change("POST", path, f"adding domain {domain.name}", body)

    async def delete_project(self) -> None:
        """For ever, with its deployments, variables and names. No error if it is gone."""
        try:
            await self._change("DELETE", f"/v9/projects/{self._at}", "deleting the project")
        except NotFoundError:
            return

    async def _change(
        self, method: str, path: str, doing: str, body: Mapping[str, object] | None = None
    ) -> None:
        await self._api.change(
            method, path, doing, project=self._project, team=self._team, body=dict(body) if body else None
        )
