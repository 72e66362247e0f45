"""The table: every box and every numbered step of the migration document, and what proves it.

A proof reads ``step`` or ``step/checks``. Words in <brackets> are roles: <frontend> every server of that
role, <web> every app on one, <api> every app on a back-end host, <cached> every app with a cache.
"""

from __future__ import annotations

from wizard.report.checklist import Item, Kind, Proof

Row = tuple[str, str] | tuple[str, str, str]


def _items(kind: Kind, section: str, *rows: Row) -> tuple[Item, ...]:
    return tuple(
        Item(
            kind,
            section,
            row[0],
            tuple(Proof(*proof.split("/", 1)) for proof in row[1].split()),
            row[2] if len(row) == 3 else "",
        )
        for row in rows
    )


_SERVER = "provision.<{0}>.address provision.<{0}>.server provision.<{0}>.login"
_FIREWALL = "provision.firewall firewall.<{0}>.cloud firewall.<{0}>.host firewall.<{0}>.ports"
_RETIRED = "The types named there are no longer sold; their successors are wished for in config.toml."

BOXES = (
    *_items(
        Kind.BOX,
        "Pre-Migration: Frontend Production VM",
        ("Provision Hetzner VM (CX22, Falkenstein/Nuremberg)", _SERVER.format("frontend"), _RETIRED),
        ("Install Dokploy", "provision.<frontend>.panel"),
        ("Configure firewall (22, 80, 443 open; 3000 restricted to your IP)", _FIREWALL.format("frontend")),
        ("Create Dokploy admin account", "provision.<frontend>.account"),
        ("Test Dokploy UI access", "provision.<frontend>.account"),
    ),
    *_items(
        Kind.BOX,
        "Pre-Migration: Backend Production VM",
        (
            "Provision Hetzner VM (CX32/CX42, same datacenter as frontend)",
            _SERVER.format("backend") + " provision.network",
            _RETIRED,
        ),
        ("Install Dokploy", "provision.<backend>.panel"),
        ("Configure firewall (22, 80, 443 open; 3000 restricted to your IP)", _FIREWALL.format("backend")),
        ("Create Dokploy admin account", "provision.<backend>.account"),
        ("Test Dokploy UI access", "provision.<backend>.account"),
    ),
    *_items(
        Kind.BOX,
        "Frontend Migration (on Frontend VM)",
        ("Create frontend application in Dokploy", "apps.<web>.create"),
        ("Configure Git repository connection", "prepare.git apps.<web>.source"),
        ("Set Dockerfile path: `frontend/apps/web_app/Dockerfile`", "prepare.git apps.<web>.source"),
        (
            "Set build context to project root (needs backend/ for metadata generation)",
            "apps.<web>.source",
        ),
        ("Configure domain: `openmates.org`", "cutover.certificates/<web-domain>.*"),
        ("Enable SSL", "cutover.certificates/<web-domain>.* settle.renewal"),
        ("Set up GitHub webhook", "apps.<web>.webhook"),
        ("Test deployment on temporary domain", "apps.<web>.trial apps.<web>.deploy"),
        ("Verify build completes successfully", "apps.<web>.deploy"),
        ("Test all frontend routes", "apps.<web>.routes"),
        ("Verify API calls to backend work (CORS configured correctly)", "apps.cors"),
    ),
    *_items(
        Kind.BOX,
        "Backend Migration (on Backend VM)",
        ("Create Docker Compose application in Dokploy", "apps.<api>.create"),
        (
            "Upload/configure docker-compose.yml (production version without dev mounts)",
            "prepare.compose apps.<api>.source",
        ),
        ("Configure all environment variables from `.env`", "apps.<api>.environment"),
        ("Configure domain: `api.openmates.org`", "cutover.certificates/<api-domain>.*"),
        ("Enable SSL", "cutover.certificates/<api-domain>.* settle.renewal"),
        ("Set up GitHub webhook", "apps.<api>.webhook"),
        (
            "Configure post-deploy hook: `docker exec cache redis-cli FLUSHALL`",
            "apps.<cached>.cache",
            "Done by the cache_policy of config.toml; FLUSHALL would also drop queued work and sessions.",
        ),
        ("Test deployment", "apps.<api>.trial apps.<api>.deploy"),
        ("Verify all services healthy (API, workers, databases)", "apps.<api>.healthy data.start"),
        ("Test API endpoints", "apps.<api>.routes"),
        ("Verify CORS allows requests from `openmates.org`", "apps.cors"),
    ),
    *_items(
        Kind.BOX,
        "DNS Cutover",
        ("Update DNS: `openmates.org` → Frontend VM IP", "cutover.flip/<web-domain>*"),
        ("Update DNS: `api.openmates.org` → Backend VM IP", "cutover.flip/<api-domain>*"),
        ("Wait for DNS propagation (~15 min to 24 hours)", "cutover.lower_ttl cutover.watch"),
        ("Verify SSL certificates issued on both VMs", "cutover.certificates cutover.proof"),
        ("Test production domains", "cutover.proof/<web-domain>.* cutover.proof/<api-domain>.*"),
        ("Test frontend→backend API communication", "cutover.proof/<api>.*"),
        ("Monitor error logs on both VMs", "cutover.proof"),
    ),
    *_items(
        Kind.BOX,
        "Post-Migration",
        (
            "Verify zero-downtime deploys working on both VMs",
            "settle.<app>.zero_downtime",
            "Measured, and the gap said: a compose stack is recreated, a Dockerfile application is not.",
        ),
        ("Test rollback procedure on both VMs", "settle.<app>.rollback"),
        ("Configure monitoring alerts in both Dokploy instances", "settle.<server>.alerts"),
        ("Document any environment-specific configurations", "settle.document"),
        (
            "Remove Vercel deployment",
            "decommission.export decommission.git decommission.pause decommission.domains "
            "decommission.delete",
        ),
        ("Cancel Vercel subscription (if applicable)", "decommission.subscription"),
        ("Update CI/CD documentation", "settle.document"),
        ("Inform team of new deployment workflow", "settle.inform_team"),
        ("Set up regular backups for backend VM (database, vault)", "settle.backups"),
    ),
)

NUMBERED = (
    *_items(
        Kind.NUMBERED,
        "1a. Frontend Production VM",
        ("Provision Hetzner VM (CX22 - lightweight for static files)", _SERVER.format("frontend"), _RETIRED),
        ("Install Dokploy", "provision.<frontend>.panel"),
        ("Configure firewall", _FIREWALL.format("frontend")),
        (
            "Access Dokploy UI at `http://<FRONTEND_VM_IP>:3000` and create admin account",
            "provision.<frontend>.account",
            "Through an SSH tunnel: the account's password never crosses the network in the clear.",
        ),
    ),
    *_items(
        Kind.NUMBERED,
        "1b. Backend Production VM",
        (
            "Provision Hetzner VM (CX32 or CX42 - needs more resources)",
            _SERVER.format("backend"),
            _RETIRED,
        ),
        ("Install Dokploy", "provision.<backend>.panel"),
        ("Configure firewall", _FIREWALL.format("backend") + " firewall.isolation"),
        (
            "Access Dokploy UI at `http://<BACKEND_VM_IP>:3000` and create admin account",
            "provision.<backend>.account",
            "Through an SSH tunnel: the account's password never crosses the network in the clear.",
        ),
    ),
    *_items(
        Kind.NUMBERED,
        "Phase 2: Configure Frontend Deployment",
        ("In Dokploy UI:", "prepare.git apps.<web>.create apps.<web>.source"),
        ("Configure build context:", "apps.<web>.source"),
        ("Configure domain:", "cutover.certificates/<web-domain>.* settle.renewal"),
        ("Configure environment variables (if any)", "prepare.vercel apps.<web>.environment"),
        ("Set up webhook:", "apps.<web>.webhook"),
    ),
    *_items(
        Kind.NUMBERED,
        "Phase 3: Configure Backend Deployment",
        (
            "In Dokploy UI:",
            "prepare.old_host apps.<api>.create apps.<api>.source apps.<api>.environment",
        ),
        ("Adjust docker-compose.yml for production:", "prepare.compose apps.<api>.source"),
        ("Configure domains:", "cutover.certificates/<api-domain>.*"),
    ),
    *_items(
        Kind.NUMBERED,
        "Phase 4: DNS Cutover",
        ("Test deployments on temporary domains first", "apps.<app>.trial cutover.preflight"),
        ("Update DNS records:", "prepare.dns_zone cutover.flip"),
        ("Verify SSL certificates are issued on both VMs", "cutover.certificates cutover.proof"),
        ("Monitor for errors in Dokploy logs on both VMs", "cutover.proof"),
        ("Test frontend→backend communication (API calls from frontend)", "cutover.proof apps.cors"),
    ),
    *_items(
        Kind.NUMBERED,
        "Phase 5: Decommission Vercel",
        ("Verify production is stable on Dokploy", "decommission.soak"),
        ("Remove Vercel deployment", "decommission.export decommission.delete"),
        ("Cancel Vercel subscription (if applicable)", "decommission.subscription"),
    ),
    *_items(
        Kind.NUMBERED,
        "After (Dokploy)",
        ("Webhook received", "apps.<app>.webhook"),
        ("Pull code", "apps.<app>.deploy"),
        ("Build changed containers (old ones still running)", "apps.<app>.deploy"),
        ("Health check new containers", "apps.<app>.healthy"),
        ("Switch traffic (~0 downtime)", "settle.<app>.zero_downtime"),
        ("Run post-deploy hooks (cache flush)", "apps.<cached>.cache"),
        ("Remove old containers", "settle.<app>.zero_downtime"),
    ),
    *_items(
        Kind.NUMBERED,
        "Dokploy Rollback",
        ("Open Dokploy UI (on the relevant VM - frontend or backend)", "provision.<server>.account"),
        ("Navigate to application", "apps.<app>.create"),
        ('Click "Deployments" tab', "apps.<app>.deploy"),
        ("Select previous working deployment", "settle.<app>.rollback"),
        (
            'Click "Redeploy"',
            "settle.<app>.rollback",
            "Redeploying builds the head of the branch again; the rehearsed way back is in the runbook.",
        ),
    ),
    *_items(
        Kind.NUMBERED,
        "Database Rollback (Backend VM only)",
        ("Restore from backup (configure automated backups separately)", "settle.backups"),
        ("Or use Directus snapshot restore", "settle.backups"),
    ),
    *_items(
        Kind.NUMBERED,
        "Build Fails",
        ("Check build logs in Dokploy UI", "apps.<app>.deploy"),
        ("Verify Dockerfile path is correct", "prepare.git"),
        ("Ensure build context includes all required files", "prepare.git apps.<web>.source"),
        ("Check for missing environment variables", "apps.<app>.environment"),
    ),
    *_items(
        Kind.NUMBERED,
        "SSL Certificate Not Issued",
        ("Verify DNS points to correct IP", "cutover.flip cutover.watch"),
        ("Check Traefik logs: `docker logs traefik`", "settle.renewal"),
        ("Ensure ports 80 and 443 are open", "firewall.<server>.ports"),
        ("Wait for DNS propagation if recently changed", "cutover.watch"),
    ),
    *_items(
        Kind.NUMBERED,
        "Container Health Check Fails",
        ("Check container logs in Dokploy", "apps.<app>.healthy"),
        ("Verify health check endpoint responds", "apps.<app>.healthy"),
        ("Check internal networking between containers", "apps.<app>.healthy"),
        ("Verify environment variables are set correctly", "apps.<app>.environment"),
    ),
    *_items(
        Kind.NUMBERED,
        "Cache Issues After Deploy",
        ("Verify post-deploy hook ran: check Dokploy logs", "apps.<cached>.cache"),
        ("Manually flush if needed: `docker exec cache redis-cli FLUSHALL`", "apps.<cached>.cache"),
        ("Check Dragonfly logs: `docker logs cache`", "apps.<cached>.cache"),
    ),
)

ITEMS = (*BOXES, *NUMBERED)
