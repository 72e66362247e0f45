"""Judges a project's settings, names, hooks, protection, and what belongs to its owner. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.clock import moment_text
from wizard.config import App
from wizard.vercel.findings import Fate, Finding, Judge, high, low, medium, ok
from wizard.vercel.inventory import Inventory


def account(found: Inventory, app: App) -> Iterator[Finding]:
    if found.blocked:
        how = "settle the bill first: a blocked account cannot be left in an orderly way"
        yield high("account.blocked", f"the account is blocked ({found.blocked})", Fate.NEEDS_YOU, how)
    if found.project.paused:
        how = "visitors get 503 today; take the pause back, or there is nothing to compare with"
        yield high("project.paused", "the project is paused", Fate.NEEDS_YOU, how)
    for one in found.unseen:
        yield low(f"unseen.{one.what}", f"{one.what} could not be looked at", Fate.NEEDS_YOU, one.why)


def build(found: Inventory, app: App) -> Iterator[Finding]:
    project, builder = found.project, app.dockerfile or app.compose_file
    what = f"framework {project.framework or 'none'}, Node {project.node or 'as it comes'}"
    yield ok("build.framework", what, Fate.REPLACED, f"{builder} builds and serves it")
    if project.root:
        how = f"{builder} lies where it should; the context is {app.context}"
        yield ok("build.root", f"root directory {project.root}", Fate.REPLACED, how)
    commands = {
        "build": project.build_command,
        "install": project.install_command,
        "development": project.dev_command,
        "output": project.output,
    }
    if shown := [f"{word}: {text}" for word, text in commands.items() if text]:
        yield ok("build.commands", "; ".join(shown), Fate.REPLACED, f"{builder} says it")
    if project.ignore_command:
        how = "every push to the branch is built; watch paths of the panel can narrow that"
        yield low("build.ignore", f"ignored build step: {project.ignore_command}", Fate.LOST, how)
    if project.large_files:
        how = "the panel clones without Git LFS: fetch large files in the Dockerfile"
        yield medium("build.lfs", "Git LFS is on", Fate.NEEDS_YOU, how)


def git(found: Inventory, app: App) -> Iterator[Finding]:
    link = found.project.git
    if link is None:
        how = f"deployed from {app.repository} from now on; compare it with what is live"
        yield medium("git.link", "no repository is connected: it is deployed by hand", Fate.NEEDS_YOU, how)
        return
    what = f"{link.type} {link.repository}, branch {link.branch}"
    if (link.repository, link.branch) != (app.repository, app.branch):
        how = f"the configuration says {app.repository}, branch {app.branch}: correct one of them"
        yield high("git.link", what, Fate.NEEDS_YOU, how)
    else:
        yield ok("git.link", what, Fate.CARRIED, "the panel clones it and deploys each push")
    for hook in link.hooks:
        how = (
            "whoever calls it (a CMS, a script) must call the panel's own hook instead; it dies with the link"
        )
        yield medium(f"hook.{hook.name}", f"deploy hook {hook.name} ({hook.branch})", Fate.NEEDS_YOU, how)


def domains(found: Inventory, app: App) -> Iterator[Finding]:
    for one in found.domains:
        key, what = f"domain.{one.name}", f"domain {one.name}"
        if one.branch or one.environment:
            where = one.branch or "an environment of its own"
            yield low(key, f"{what} for {where}", Fate.LOST, "only production has names there")
        elif one.redirect:
            what = f"{what} leads to {one.redirect} ({one.redirect_status or 308})"
            if one.name in app.domains:
                how = f"as a redirect of the new host's proxy, by apps.{app.name}.redirects"
                yield medium(key, what, Fate.CARRIED, how)
            else:
                how = (
                    f"it ends with the project: add it to the domains of {app.name}, or lead it elsewhere; "
                    "a rule for Traefik is in backups/"
                )
                yield high(key, what, Fate.NEEDS_YOU, how)
        elif one.name in app.domains:
            yield ok(key, what, Fate.CARRIED, f"served by {app.name} with a certificate of its own")
        else:
            how = f"add it to the domains of {app.name}, or it answers no more once the project is gone"
            yield high(key, f"{what} is not in the configuration", Fate.NEEDS_YOU, how)
    for config in found.configs:
        values = ", ".join(config.ipv4) or config.cname
        what = f"{config.name} would lead back by {values}"
        yield ok(f"way_back.{config.name}", what, Fate.CARRIED, "kept for the way back")
    for name, ends in found.certificates:
        what = f"certificate of {name} until {moment_text(ends)}"
        how = "ordered anew before traffic arrives; Vercel cannot renew its own once the name leads away"
        yield ok(f"certificate.{name}", what, Fate.REPLACED, how)


def deployments(found: Inventory, app: App) -> Iterator[Finding]:
    if live := found.project.production:
        what = f"production is {live.id}" + (f" of commit {live.commit[:12]}" if live.commit else "")
        yield ok("production", what, Fate.CARRIED, "kept for the way back")
    names = tuple(name for name in found.aliases if name.endswith(".vercel.app"))
    if names:
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        how = "they die with the project and can be taken by anybody: let nothing point to them"
        yield low("aliases", f"names of Vercel's own: {shown}", Fate.LOST, how)


def rules(found: Inventory, app: App) -> Iterator[Finding]:
    for one in found.redirects:
        what = f"dashboard redirect {one.source} to {one.destination}"
        how = f"as a redirect of the new host's proxy, by apps.{app.name}.redirects"
        yield medium(f"redirect.{one.source}", what, Fate.CARRIED, how)
    for one in found.routes:
        what = f"dashboard route {one.source}" + (f" to {one.destination}" if one.destination else "")
        how = "write it into the front end's own configuration: no file of the repository holds it"
        yield high(f"route.{one.source}", what, Fate.NEEDS_YOU, how)


def protection(found: Inventory, app: App) -> Iterator[Finding]:
    project = found.project
    if project.protection:
        how = (
            "the new host serves to everybody; put basic authentication on the panel's domain if you need it"
        )
        yield medium("protection", f"protection: {', '.join(project.protection)}", Fate.LOST, how)
    count = found.firewall_rules
    if project.firewall or count:
        what = ", ".join((*project.firewall, *((f"{count} rules of its own",) if count else ())))
        yield medium("firewall", f"firewall: {what}", Fate.LOST, "the proxy lets every visitor through")
    if project.secure_compute:
        how = "open the way from the new host's address to what it reached privately"
        yield high("secure_compute", "Secure Compute: a private network", Fate.NEEDS_YOU, how)
    if project.oidc:
        how = "whoever trusts Vercel's identity tokens needs another credential"
        yield high("oidc", "identity tokens (OIDC) for other clouds", Fate.NEEDS_YOU, how)
    if project.microfrontends:
        how = (
            "the others of its group stay at Vercel: lead their paths there by the front end's configuration"
        )
        yield high("microfrontends", "it is part of a group of microfrontends", Fate.NEEDS_YOU, how)
    if project.skew_protection:
        how = "tabs that stay open over a deployment may ask for files that are gone: keep old assets"
        yield medium("skew", "skew protection", Fate.LOST, how)
    if project.rolling_release:
        yield medium("rolling", "rolling releases", Fate.LOST, "a deployment takes all visitors at once")


def analytics(found: Inventory, app: App) -> Iterator[Finding]:
    how = "its script answers 404 at the new place: take the package out, or put another in"
    if found.project.web_analytics:
        yield low("analytics.web", "Web Analytics", Fate.LOST, how)
    if found.project.speed_insights:
        yield low("analytics.speed", "Speed Insights", Fate.LOST, how)


def calls(found: Inventory, app: App) -> Iterator[Finding]:
    for hook in found.webhooks:
        how = "the panel's own notifications take the place of what it tells"
        yield medium(f"webhook.{hook.id}", f"webhook to {hook.host} ({hook.what})", Fate.LOST, how)
    for drain in found.drains:
        how = "the containers' logs stay on the host: ship them by an agent if you need them elsewhere"
        yield medium(f"drain.{drain.id}", f"log drain {drain.what} to {drain.host}", Fate.LOST, how)
    for one in found.integrations:
        how = "look at what it sets or reads, and at whether its bill comes through Vercel"
        yield medium(f"integration.{one.name}", f"integration {one.name}", Fate.NEEDS_YOU, how)


def zones(found: Inventory, app: App) -> Iterator[Finding]:
    for one in found.account_domains:
        if one.hosted:
            mail = [row for row in found.records if not row.system and row.type in ("MX", "TXT", "SRV")]
            what = f"Vercel's name servers answer for {one.name}, {len(mail)} records of mail among them"
            how = "the zone stays there and is never touched; copy it away before you close the account"
            yield high(f"zone.{one.name}", what, Fate.NEEDS_YOU, how)
        if one.bought:
            until = f" until {moment_text(one.expires)}" if one.expires else ""
            how = "the registration stays at Vercel and is never touched: keep the account or transfer it"
            yield medium(
                f"registration.{one.name}", f"{one.name} was bought there{until}", Fate.NEEDS_YOU, how
            )


JUDGES: tuple[Judge, ...] = (
    account, build, git, domains, deployments, rules, protection, analytics, calls, zones,
)  # fmt: skip
