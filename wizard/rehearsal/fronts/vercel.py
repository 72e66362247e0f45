"""Vercel's edge: serves the domains of its projects, as the API's state says."""

from __future__ import annotations

from wizard.rehearsal.fronts.front import Front
from wizard.rehearsal.sites import SiteAnswer, SiteRequest

VERCEL_ADDRESS = "198.51.100.76"
_PLAIN = ("Content-Type", "text/plain; charset=utf-8")


class VercelEdge(Front):
    """One address for every project."""

    async def answer(self, asked: SiteRequest, body: bytes) -> SiteAnswer:
        verdict = self.stage.vercel.serves(asked.host)
        region = ("X-Vercel-Id", f"fra1::{self.stage.random.getrandbits(40):010x}")
        server = ("Server", "Vercel")
        if verdict == "paused":
            more = (_PLAIN, server, region, ("X-Vercel-Error", "DEPLOYMENT_PAUSED"))
            return SiteAnswer(503, more, b"This deployment is temporarily paused\nDEPLOYMENT_PAUSED\n")
        if verdict == "gone":
            more = (_PLAIN, server, region, ("X-Vercel-Error", "DEPLOYMENT_NOT_FOUND"))
            return SiteAnswer(
                404, more, b"The deployment could not be found on Vercel.\nDEPLOYMENT_NOT_FOUND\n"
            )
        target = self.stage.vercel.redirect(asked.host)
        if target and asked.scheme == "https":
            query = f"?{asked.query}" if asked.query else ""
            location = f"https://{target}{asked.path}{query}"
            return SiteAnswer(308, (server, region, ("Location", location)), b"Redirecting...\n")
        led = self.stage.vercel.path_redirect(asked.host, asked.path)
        if led and asked.scheme == "https":
            location = led[0] + (f"?{asked.query}" if asked.query else "")
            return SiteAnswer(led[1], (server, region, ("Location", location)), b"Redirecting...\n")
        answer = await super().answer(asked, body)
        if answer.status == 200 and "dokploy-wizard" not in asked.headers.get("user-agent", ""):
            self.stage.vercel.visited(asked.host)
        return SiteAnswer(answer.status, (*answer.headers, server, region), answer.body)
