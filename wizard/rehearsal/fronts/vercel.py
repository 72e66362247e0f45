"""Vercel's edge: serves the domains of its projects, as the API's state says."""

from __future__ import annotations

from dataclasses import replace

from wizard.rehearsal.fronts.front import Front
from wizard.rehearsal.sites import SiteAnswer, SiteRequest
from wizard.rehearsal.vercel.rules import origin_of, with_headers

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
        rules = self.stage.vercel.rules(asked.host)
        led = rules.redirect(asked)
        if led and asked.scheme == "https":
            found = SiteAnswer(led[1], (server, region, ("Location", led[0])), b"Redirecting...\n")
            return with_headers(found, rules.headers(asked))
        answer = await super().answer(asked, body)
        if answer.status == 404 and (target := rules.rewrite(asked)):
            answer = await self._rewritten(target, asked, body)
        if asked.scheme == "https":
            answer = with_headers(answer, rules.headers(asked))
        if answer.status == 200 and "dokploy-wizard" not in asked.headers.get("user-agent", ""):
            self.stage.vercel.visited(asked.host)
        return SiteAnswer(answer.status, (*answer.headers, server, region), answer.body)

    async def _rewritten(self, target: str, asked: SiteRequest, body: bytes) -> SiteAnswer:
        host, path = origin_of(target)
        if not host:
            return await super().answer(replace(asked, path=path), body)
        for name in list(self.stage.fronts.state.fronts):
            other = self.stage.fronts.of(name)
            if other is not self and host in other.state.routes:
                return await other.answer(replace(asked, host=host, path=path), body)
        return SiteAnswer(502, (_PLAIN, ("X-Vercel-Error", "ROUTER_EXTERNAL_TARGET_ERROR")), b"")
