"""A project's document, read: what is set there, and what of it exists nowhere else."""

from __future__ import annotations

from typing import Any

from wizard.clients.vercel.models import CronJob, DeployHook, GitLink, Production, Project, Row


def project(row: Row) -> Project:
    crons, resources = row.get("crons") or {}, row.get("resourceConfig") or {}
    return Project(
        id=str(row["id"]),
        name=str(row["name"]),
        owner=str(row.get("accountId", "")),
        framework=_text(row, "framework"),
        node=_text(row, "nodeVersion"),
        root=_text(row, "rootDirectory"),
        build_command=_text(row, "buildCommand"),
        install_command=_text(row, "installCommand"),
        dev_command=_text(row, "devCommand"),
        output=_text(row, "outputDirectory"),
        ignore_command=_text(row, "commandForIgnoringBuildStep"),
        outside_root=bool(row.get("sourceFilesOutsideRootDirectory")),
        git=git_link(row.get("link")),
        crons=tuple(
            CronJob(str(one["path"]), str(one["schedule"]), str(one.get("host", "")))
            for one in crons.get("definitions") or ()
        ),
        crons_on=not crons.get("disabledAt"),
        paused=bool(row.get("paused")),
        production=_production((row.get("targets") or {}).get("production")),
        protection=_protection(row),
        firewall=_firewall(row.get("security") or {}),
        web_analytics=_on(row.get("webAnalytics")),
        speed_insights=_on(row.get("speedInsights")) or _on(row.get("analytics")),
        skew_protection=bool(row.get("skewProtectionMaxAge")),
        rolling_release=bool(row.get("rollingRelease")),
        secure_compute=bool(row.get("connectConfigurations")),
        microfrontends=bool((row.get("microfrontends") or {}).get("enabled")),
        oidc=bool((row.get("oidcTokenConfig") or {}).get("enabled")),
        system_variables=bool(row.get("autoExposeSystemEnvs")),
        regions=tuple(str(one) for one in resources.get("functionDefaultRegions") or ()),
        integrations=tuple(str(one["installationId"]) for one in row.get("integrations") or ()),
        large_files=bool(row.get("gitLFS")),
    )


def git_link(row: Any) -> GitLink | None:
    if not row:
        return None
    if row["type"] == "gitlab":
        repository = str(row.get("projectNameWithNamespace") or row.get("projectName", ""))
    elif row["type"] == "bitbucket":
        repository = f"{row.get('owner', '')}/{row.get('slug', '')}"
    else:
        repository = f"{row.get('org', '')}/{row.get('repo', '')}"
    hooks = tuple(
        DeployHook(str(one["id"]), str(one["name"]), str(one["ref"]), str(one["url"]))
        for one in row.get("deployHooks") or ()
    )
    return GitLink(str(row["type"]), repository, str(row.get("productionBranch", "")), hooks)


def _text(row: Row, key: str) -> str:
    return str(row.get(key) or "")


def _on(feature: Any) -> bool:
    if not feature:
        return False
    ended = max(feature.get("disabledAt") or 0, feature.get("canceledAt") or 0)
    return (feature.get("enabledAt") or 0) > ended


def _production(row: Any) -> Production | None:
    if not row:
        return None
    meta = row.get("meta") or {}
    return Production(
        str(row["id"]),
        str(row.get("url", "")),
        float(row.get("createdAt") or 0) / 1000,
        str(meta.get("githubCommitSha") or meta.get("gitlabCommitSha") or ""),
        str(meta.get("githubCommitRef") or meta.get("gitlabCommitRef") or ""),
    )


def _protection(row: Row) -> tuple[str, ...]:
    found: list[str] = []
    if sso := row.get("ssoProtection"):
        found.append(f"Vercel login ({sso.get('deploymentType', '')})")
    if row.get("passwordProtection"):
        found.append("password")
    if trusted := row.get("trustedIps"):
        found.append(f"{len(trusted.get('addresses') or ())} trusted addresses")
    if bypass := row.get("protectionBypass"):
        found.append(f"{len(bypass)} bypass secrets")
    if row.get("optionsAllowlist"):
        found.append("paths open to OPTIONS")
    return tuple(found)


def _firewall(security: Row) -> tuple[str, ...]:
    found = ["firewall"] if security.get("firewallEnabled") else []
    if security.get("attackModeEnabled"):
        found.append("attack mode")
    if security.get("botIdEnabled"):
        found.append("bot detection")
    managed = security.get("managedRules") or {}
    found += [name.replace("_", " ") for name, rule in managed.items() if rule and rule.get("active")]
    return tuple(found)
