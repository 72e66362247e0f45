"""A panel reduced to what certificates, domains and redeployments need, in front of a rehearsal's front."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.rehearsal.small_stage import SmallWorld


@dataclass
class PanelDouble:
    """`domains` of a stack count from its next deployment on, as labels do."""

    world: SmallWorld
    server: str
    certificates: list[dict[str, Any]] = field(default_factory=list)
    domains: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    log: str = "INFO: Uvicorn running on http://0.0.0.0:8000\nINFO: GET /health 200\n"
    gap: float = 0.0
    slow: float = 0.0

    @property
    def front(self) -> Any:
        return self.world.stage.fronts.of(self.server)

    async def get(self, procedure: str, **parameters: Any) -> Any:
        match procedure:
            case "certificates.all":
                return self.certificates
            case "settings.readTraefikFile":
                return self.front.read_file(parameters["path"])
            case "domain.byApplicationId" | "domain.byComposeId":
                owner = next(iter(parameters.values()))
                return [
                    item
                    for item in self.domains
                    if owner in (item.get("applicationId"), item.get("composeId"))
                ]
            case "docker.getContainersByAppNameMatch":
                return [{"containerId": "a1", "name": f"{parameters['appName']}-api-1", "state": "running"}]
            case "application.readLogs" | "compose.readLogs" | "deployment.readLogs":
                return self.log
            case "deployment.all" | "deployment.allByCompose":
                return self.deployments
        raise AssertionError(procedure)

    async def post(self, procedure: str, body: dict[str, Any]) -> Any:
        self.calls.append(procedure)
        match procedure:
            case "certificates.create":
                self.certificates.append({**body, "certificateId": f"c{len(self.calls)}"})
                self.front.add_certificate(body["certificateData"], body["privateKey"])
            case "certificates.remove":
                gone = next(
                    item for item in self.certificates if item["certificateId"] == body["certificateId"]
                )
                self.certificates.remove(gone)
                self.front.remove_certificate(gone["certificateData"])
            case "settings.updateTraefikFile":
                self.front.write_file(body["path"], body["traefikConfig"])
            case "settings.reloadTraefik":
                self.front.reload()
            case "domain.create":
                self.domains.append({**body, "domainId": f"d{len(self.calls)}"})
                if "applicationId" in body:
                    self._route()
            case "domain.update":
                next(item for item in self.domains if item["domainId"] == body["domainId"]).update(body)
                self._route()
            case "domain.delete":
                gone = next(item for item in self.domains if item["domainId"] == body["domainId"])
                self.domains.remove(gone)
                self.front.unroute(gone["host"])
            case "application.redeploy" | "compose.redeploy":
                self._deploy("web" if procedure.startswith("application") else "api")
            case _:
                raise AssertionError(procedure)
        return None

    def _route(self) -> None:
        for item in self.domains:
            app = "web" if "applicationId" in item else "api"
            self.front.route(item["host"], app, "", item["https"], item["certificateType"])

    def _deploy(self, app: str) -> None:
        self._route()
        number = len(self.deployments) + 1
        self.front.app_version(app, f"build-{number}", gap=self.gap)
        if self.slow:
            run = self.front.state.apps[app]
            run.slow_until, run.slow_seconds = self.world.stage.clock.now() + self.slow, 0.7
        self.deployments.insert(0, {"deploymentId": f"p{number}", "status": "done"})
