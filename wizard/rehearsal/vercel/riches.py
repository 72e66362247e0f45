"""One of everything that a Vercel project can have, on top of a plain one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.rehearsal.vercel.project import account_domain, add_variable, domain
from wizard.rehearsal.vercel.state import USER, Document, ProjectState, VercelState, milliseconds

if TYPE_CHECKING:
    from wizard.config import App, Config

_DAY = 86_400.0


def enrich(state: VercelState, project: ProjectState, app: App, config: Config, now: float) -> None:
    """Variables of every kind, crons, functions, stores, hooks, rules, protection, a zone, an old alias."""
    made = milliseconds(now - 200 * _DAY)
    _variables(state, project, app, now)
    _settings(project, app, made)
    _build(project)
    project.domains[f"old.{config.dns.zone}"] = domain(
        project.id, f"old.{config.dns.zone}", config.dns.zone, made, app.domains[0]
    )
    project.environments.append(
        {"id": "env_staging", "slug": "staging", "type": "preview", "createdAt": made, "updatedAt": made}
    )
    project.redirects.append(
        {"source": "/twitter", "destination": "https://social.example/us", "statusCode": 307}
    )
    project.routes.append(
        {"id": "route_1", "name": "legacy", "enabled": True, "route": {"src": "/legacy/(.*)", "dest": "/$1"}}
    )
    project.firewall = {"firewallEnabled": True, "rules": [{"id": "rule_1", "name": "block"}], "ips": []}
    _account(state, project, config, made)


def _variables(state: VercelState, project: ProjectState, app: App, now: float) -> None:
    both = ("production", "preview")
    add_variable(state, project, "SESSION_SECRET", "never-to-be-read", now, kind="sensitive", target=both)
    add_variable(state, project, "GREETING", "hello", now, kind="plain", target=("production",))
    add_variable(state, project, "GREETING", "hello branch", now, target=("preview",), gitBranch="next")
    add_variable(state, project, "STAGING_ONLY", "1", now, target=(), customEnvironmentIds=["env_staging"])
    add_variable(state, project, "VERCEL_URL", "", now, kind="system")
    callback = f"https://{project.name}.vercel.app/callback"
    add_variable(state, project, "OAUTH_CALLBACK", callback, now, target=("production",))
    hint = {"type": "blob-read-write-token", "storeId": "store_blob"}
    add_variable(state, project, "BLOB_READ_WRITE_TOKEN", "vercel_blob_rw_x", now, contentHint=hint)
    hint = {"type": "postgres-url", "storeId": "store_pg"}
    add_variable(
        state, project, "POSTGRES_URL", "postgres://db", now, contentHint=hint, configurationId="icfg_neon"
    )


def _settings(project: ProjectState, app: App, made: int) -> None:
    document = project.document
    document.update(
        framework="nextjs",
        buildCommand="pnpm build",
        installCommand="pnpm install",
        outputDirectory="dist",
        commandForIgnoringBuildStep="python3 ignore.py",
        gitLFS=True,
        skewProtectionMaxAge=3600,
        rollingRelease={"target": "production"},
        oidcTokenConfig={"enabled": True, "issuerMode": "team"},
        ssoProtection={"deploymentType": "preview"},
        passwordProtection={"deploymentType": "preview"},
        trustedIps={
            "deploymentType": "preview",
            "addresses": [{"value": "192.0.2.1"}],
            "protectionMode": "additional",
        },
        protectionBypass={
            "b" * 32: {"createdAt": made, "createdBy": USER, "scope": "automation-bypass"},
        },
        security={
            "firewallEnabled": True,
            "attackModeEnabled": False,
            "botIdEnabled": True,
            "managedRules": {
                "bot_filter": {"active": True, "action": "challenge"},
                "ai_bots": {"active": False, "action": "deny"},
                "owasp": {"active": False, "action": "deny"},
            },
        },
        webAnalytics={"id": "wa_1", "enabledAt": made, "hasData": True},
        speedInsights={"id": "si_1", "enabledAt": made, "hasData": True},
        connectConfigurations=[_secure_compute(made)],
        microfrontends={
            "enabled": True,
            "groupIds": ["mfe_1", "mfe_2"],
            "updatedAt": made,
            "isDefaultApp": True,
            "defaultRoute": "/",
        },
        integrations=[{"installationId": "icfg_neon"}],
    )
    document["crons"]["definitions"] = [
        {"host": app.domains[0], "path": "/api/cron/daily", "schedule": "0 5 * * *"}
    ]
    document["crons"]["deploymentId"] = project.deployments[-1]["uid"]
    document["link"]["deployHooks"] = [
        {
            "id": "hook_1",
            "name": "cms",
            "ref": app.branch,
            "url": "https://api.vercel.com/v1/integrations/deploy/" + "prj_hook/secretpart",
        }
    ]


def _secure_compute(made: int) -> Document:
    return {
        "envId": "production",
        "connectConfigurationId": "icfgc_1",
        "passive": False,
        "buildsEnabled": False,
        "createdAt": made,
        "updatedAt": made,
    }


def _build(project: ProjectState) -> None:
    built = project.built[str(project.deployments[-1]["uid"])]
    built["lambdas"] = [
        {
            "id": "bld_1",
            "entrypoint": ".",
            "readyState": "READY",
            "output": [
                {"path": "api/cron/daily", "functionName": "fn1"},
                {"path": "blog/[slug].prerender", "functionName": "fn2"},
            ],
        }
    ]
    built["functions"] = {"api/**/*.ts": {"maxDuration": 60}}
    built["images"] = {"sizes": [640], "domains": []}
    built["routes"] = [{"src": "/(.*)", "middlewarePath": "middleware", "continue": True}]


def _account(state: VercelState, project: ProjectState, config: Config, made: int) -> None:
    owner, zone = project.owner, config.dns.zone
    state.shared.append(
        {
            "id": "env_shared",
            "key": "TEAM_FLAG",
            "type": "encrypted",
            "target": ["production"],
            "projectId": [project.id],
            "ownerId": owner,
            "value": "",
            "createdAt": made,
        }
    )
    state.shared_values["env_shared"] = "on"
    state.edge_configs.append(
        {
            "id": "ecfg_1",
            "slug": "flags",
            "ownerId": owner,
            "itemCount": 1,
            "sizeInBytes": 20,
            "createdAt": made,
        }
    )
    state.edge_items["ecfg_1"] = [
        {"edgeConfigId": "ecfg_1", "key": "banner", "value": "on", "createdAt": made, "updatedAt": made}
    ]
    linked = [{"projectId": project.id, "name": project.name}]
    state.stores += [
        {
            "id": "store_blob",
            "name": "pictures",
            "type": "blob",
            "ownerId": owner,
            "projectsMetadata": linked,
        },
        {
            "id": "store_pg",
            "name": "orders",
            "type": "integration",
            "ownerId": owner,
            "projectsMetadata": linked,
        },
    ]
    state.webhooks.append(
        {
            "id": "hook_deploys",
            "url": "https://hooks.example/deployed",
            "events": ["deployment.succeeded"],
            "ownerId": owner,
            "projectIds": [project.id],
            "createdAt": made,
            "updatedAt": made,
        }
    )
    state.drains.append(
        {
            "id": "drain_1",
            "name": "logs",
            "ownerId": owner,
            "projectIds": [project.id],
            "createdAt": made,
            "updatedAt": made,
            "schemas": {"log": {}},
            "delivery": {
                "type": "http",
                "endpoint": "https://logs.example/in",
                "encoding": "json",
                "headers": {},
            },
        }
    )
    state.integrations.append(
        {"id": "icfg_neon", "slug": "neon", "ownerId": owner, "projectSelection": "all", "createdAt": made}
    )
    state.zones[zone] = {**account_domain(zone, owner, made, hosted=True), "boughtAt": made, "renew": True}
    state.records[zone] = [
        _record(1, "", "MX", f"mail.{zone}", made, priority=10),
        _record(2, "", "TXT", "v=spf1 -all", made),
        _record(3, "", "ALIAS", "5e1f.vercel-dns-017.com", made, creator="system"),
    ]


def _record(
    number: int, name: str, kind: str, value: str, made: int, *, priority: int = 0, creator: str = USER
) -> Document:
    row: Document = {
        "id": f"rec_{number}",
        "slug": f"rec-{number}",
        "name": name,
        "type": kind,
        "value": value,
        "creator": creator,
        "created": made + number,
        "updated": None,
        "createdAt": made + number,
        "updatedAt": None,
        "ttl": 60,
    }
    return {**row, "mxPriority": priority} if priority else row
