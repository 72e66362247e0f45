"""Documents of the rehearsal's Vercel: a person, teams, and plain projects as configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.rehearsal.vercel.state import (
    REHEARSAL_TOKEN,
    USER,
    Document,
    ProjectState,
    VercelState,
    milliseconds,
)

if TYPE_CHECKING:
    from wizard.config import App, Config, VercelProject

_DAY = 86_400.0
_REGIONS = {"functionDefaultRegions": ["iad1"], "fluid": True, "functionDefaultTimeout": 300}


def account(config: Config, now: float) -> VercelState:
    """Everything that stands at Vercel before the move."""
    state = VercelState(_user(config), tokens=[_token(now)])
    for wanted in config.vercel:
        owner = USER
        if wanted.team:
            owner = team_id(wanted.team)
            state.teams.setdefault(owner, _team(wanted.team, now))
        app = config.app(wanted.app)
        state.projects[project_id(wanted.name)] = project(state, wanted, app, config, owner, now)
    for owner in (*state.teams, *(() if state.teams else (USER,))):
        state.charges += _charges(owner, now)
    return state


def project_id(name: str) -> str:
    return f"prj_{name.replace('-', '')}"


def team_id(team: str) -> str:
    return team if team.startswith("team_") else f"team_{team.replace('-', '')}"


def project(
    state: VercelState, wanted: VercelProject, app: App, config: Config, owner: str, now: float
) -> ProjectState:
    """A static front end, built from git, with a few variables: what most projects are."""
    made = milliseconds(now - 400 * _DAY)
    document: Document = {
        "accountId": owner,
        "id": project_id(wanted.name),
        "name": wanted.name,
        "createdAt": made,
        "updatedAt": milliseconds(now - 3 * _DAY),
        "framework": "sveltekit-1",
        "nodeVersion": "22.x",
        "buildCommand": None,
        "installCommand": None,
        "devCommand": None,
        "outputDirectory": None,
        "commandForIgnoringBuildStep": None,
        "rootDirectory": app.dockerfile.rpartition("/")[0] or None,
        "sourceFilesOutsideRootDirectory": True,
        "directoryListing": False,
        "gitLFS": False,
        "gitForkProtection": True,
        "autoExposeSystemEnvs": True,
        "autoAssignCustomDomains": True,
        "live": True,
        "paused": False,
        "resourceConfig": dict(_REGIONS),
        "defaultResourceConfig": dict(_REGIONS),
        "webAnalytics": {"id": "wa_rehearsal", "enabledAt": made, "hasData": True},
        "ssoProtection": None,
        "passwordProtection": None,
        "link": github_link(app.repository, app.branch, made),
        "crons": {
            "enabledAt": made,
            "disabledAt": None,
            "updatedAt": made,
            "deploymentId": None,
            "definitions": [],
        },
    }
    found = ProjectState(document)
    for number, name in enumerate(app.domains):
        found.domains[name] = domain(found.id, name, config.dns.zone, made + number)
    add_deployment(state, found, app, now)
    api = next(
        (one.domains[0] for one in config.apps if one.name != app.name and one.domains), app.domains[0]
    )
    for name in app.build_args:
        add_variable(state, found, name, _value_of(name, api), now)
    for name in app.domains:
        state.zones.setdefault(config.dns.zone, account_domain(config.dns.zone, owner, made))
        state.certificates.append(_certificate(name, now))
    return found


def _value_of(name: str, api: str) -> str:
    """What a variable of a front end usually holds, judged by its name."""
    if name.endswith("URL"):
        return f"https://{api}"
    return "production" if name.endswith("ENV") else f"{name.lower().replace('_', '-')}-of-today"


def domain(project: str, name: str, zone: str, made: int, redirect: str | None = None) -> Document:
    leads = {"redirect": redirect, "redirectStatusCode": 308} if redirect else {"redirect": None}
    return {
        "name": name,
        "apexName": zone,
        "projectId": project,
        **leads,
        "gitBranch": None,
        "customEnvironmentId": None,
        "createdAt": made,
        "updatedAt": made,
        "verified": True,
    }


def github_link(repository: str, branch: str, made: int, hooks: tuple[Document, ...] = ()) -> Document:
    org, _, repo = repository.partition("/")
    return {
        "type": "github",
        "org": org,
        "repo": repo,
        "repoId": 4711,
        "gitCredentialId": "cred_rehearsal",
        "productionBranch": branch,
        "sourceless": False,
        "createdAt": made,
        "updatedAt": made,
        "deployHooks": list(hooks),
    }


def add_variable(
    state: VercelState,
    project: ProjectState,
    key: str,
    value: str,
    now: float,
    *,
    kind: str = "encrypted",
    target: tuple[str, ...] = ("production", "preview"),
    **more: object,
) -> Document:
    """`more` are further fields, such as gitBranch or contentHint."""
    made = milliseconds(now - 300 * _DAY) + state.number()
    row: Document = {
        "id": f"env{state.number():012d}",
        "key": key,
        "type": kind,
        "target": list(target),
        "createdAt": made,
        "updatedAt": made,
        "createdBy": USER,
        "updatedBy": None,
        "customEnvironmentIds": [],
        "configurationId": None,
        **more,
    }
    project.variables[str(row["id"])] = row
    project.values[str(row["id"])] = value
    return row


def add_deployment(state: VercelState, project: ProjectState, app: App, now: float) -> Document:
    """The production deployment that is live, with its names."""
    ready = milliseconds(now - 3 * _DAY)
    uid, url = f"dpl_{project.name.replace('-', '')}", f"{project.name}-k3v9a1x2c.vercel.app"
    meta = {"githubCommitSha": "5e1f" * 10, "githubCommitRef": app.branch, "githubDeployment": "1"}
    creator = {"uid": USER, "email": state.user["email"], "username": state.user["username"]}
    project.deployments.append(
        {
            "uid": uid,
            "name": project.name,
            "projectId": project.id,
            "url": url,
            "created": ready,
            "createdAt": ready,
            "ready": ready + 60_000,
            "state": "READY",
            "readyState": "READY",
            "readySubstate": "PROMOTED",
            "type": "LAMBDAS",
            "target": "production",
            "source": "git",
            "creator": creator,
            "inspectorUrl": f"https://vercel.com/rehearsal/{project.name}/{uid}",
            "isRollbackCandidate": True,
            "meta": meta,
        }
    )
    project.built[uid] = _built(project, uid, url, ready, meta)
    names = [f"{project.name}.vercel.app", *project.domains]
    project.document["targets"] = {"production": _target(project, uid, url, ready, creator, meta, names)}
    for number, name in enumerate((*names, url)):
        state.aliases.append(
            {
                "uid": f"als{state.number():010d}",
                "alias": name,
                "created": "2026-09-18T00:00:00.000Z",
                "createdAt": ready + number,
                "deploymentId": uid,
                "projectId": project.id,
            }
        )
    return project.deployments[-1]


def _target(
    project: ProjectState, uid: str, url: str, ready: int, creator: Document, meta: Document, names: list[str]
) -> Document:
    return {
        "id": uid,
        "name": project.name,
        "url": url,
        "alias": names,
        "createdAt": ready,
        "createdIn": "sfo1",
        "creator": creator,
        "deploymentHostname": url.removesuffix(".vercel.app"),
        "meta": meta,
        "plan": "pro",
        "private": True,
        "readyState": "READY",
        "readySubstate": "PROMOTED",
        "target": "production",
        "type": "LAMBDAS",
        "userId": USER,
    }


def _built(project: ProjectState, uid: str, url: str, ready: int, meta: Document) -> Document:
    return {
        "id": uid,
        "url": url,
        "name": project.name,
        "version": 2,
        "type": "LAMBDAS",
        "meta": meta,
        "public": False,
        "aliasAssigned": True,
        "createdAt": ready,
        "buildingAt": ready,
        "bootedAt": ready,
        "createdIn": "sfo1",
        "buildSkipped": False,
        "creator": {"uid": USER},
        "readyState": "READY",
        "status": "READY",
        "regions": ["iad1"],
        "ownerId": project.owner,
        "projectId": project.id,
        "plan": "pro",
        "inspectorUrl": None,
        "isInConcurrentBuildsQueue": False,
        "isInSystemBuildsQueue": False,
        "build": {"env": []},
        "env": [],
        "routes": None,
        "lambdas": [],
        "projectSettings": {"framework": project.document["framework"]},
        "target": "production",
    }


def account_domain(zone: str, owner: str, made: int, *, hosted: bool = False) -> Document:
    """A domain of the account; `hosted` when Vercel's name servers answer for it."""
    ours = ["ns1.vercel-dns.com", "ns2.vercel-dns.com"]
    return {
        "id": f"dom_{zone}",
        "name": zone,
        "serviceType": "zeit.world" if hosted else "external",
        "nameservers": ours if hosted else ["hydrogen.ns.hetzner.com"],
        "intendedNameservers": ours,
        "boughtAt": None,
        "expiresAt": None,
        "createdAt": made,
        "creator": {"id": USER, "username": "rehearsal", "email": "admin@rehearsal.invalid"},
        "teamId": owner if owner.startswith("team_") else None,
        "userId": USER,
        "verified": True,
        "renew": False,
    }


def _certificate(name: str, now: float) -> Document:
    return {
        "id": f"cert_{name}",
        "createdAt": milliseconds(now - 30 * _DAY),
        "expiresAt": milliseconds(now + 60 * _DAY),
        "autoRenew": True,
        "cns": [name],
    }


def _user(config: Config) -> Document:
    return {
        "id": USER,
        "email": config.project.email,
        "name": "Rehearsal",
        "username": "rehearsal",
        "avatar": None,
        "defaultTeamId": None,
        "createdAt": 1_600_000_000_000,
        "hasTrialAvailable": False,
        "billing": None,
        "resourceConfig": {},
        "softBlock": None,
        "stagingPrefix": "rehearsal",
    }


def _team(slug: str, now: float) -> Document:
    made = milliseconds(now - 500 * _DAY)
    return {
        "id": team_id(slug),
        "slug": slug,
        "name": slug,
        "avatar": None,
        "createdAt": made,
        "updatedAt": made,
        "creatorId": USER,
        "description": None,
        "stagingPrefix": slug,
        "membership": {"confirmed": True, "created": made, "createdAt": made, "role": "OWNER", "uid": USER},
    }


def _token(now: float) -> Document:
    made = milliseconds(now - 2 * _DAY)
    return {
        "id": REHEARSAL_TOKEN[-12:],
        "name": "dokploy-wizard",
        "type": "token",
        "origin": "manual",
        "createdAt": made,
        "activeAt": made,
        "expiresAt": milliseconds(now + 90 * _DAY),
        "scopes": [{"type": "user", "origin": "manual", "createdAt": made}],
    }


def _charges(owner: str, now: float) -> list[Document]:
    """Thirty days of a small bill."""
    return [
        {
            "ownerId": owner,
            "ChargePeriodStart": milliseconds(now - day * _DAY),
            "BilledCost": "0.6667",
            "BillingCurrency": "USD",
            "ServiceName": "Pro seat",
            "ChargeCategory": "Purchase",
            "ConsumedQuantity": 1,
            "ConsumedUnit": "Seats",
        }
        for day in range(30)
    ]
