"""Every read that is known, with its paths: the newest first, because Vercel moves them.

`documented` is False for calls that the vendor's description of 2025-10 does not hold; `why` says where
they are known from. They are optional: a refusal is noted, never fatal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Paging(StrEnum):
    NONE = "none"
    UNTIL = "until"
    """`pagination.next` is a moment in milliseconds; the next page is asked for with it as `until`."""
    FROM = "from"
    """`pagination.next` is a token, or a moment; the next page is asked for with it as `from`."""
    NUMBER = "page"
    """`pagination` has page and numPages."""
    LINES = "lines"
    """No pages: one JSON document a line."""


@dataclass(frozen=True, slots=True)
class Call:
    """`key`: where the rows of a list are; "" when the answer itself is the list or the thing.

    Paths hold {project}, {thing} where a value goes.
    """

    name: str
    paths: tuple[str, ...]
    key: str = ""
    paging: Paging = Paging.NONE
    documented: bool = True
    why: str = ""


_SDK = "in the vendor's SDK of 2026-08, not in its description of 2025-10"
_CLI = "in the vendor's CLI only"

USER = Call("user", ("/v2/user",), "user")
TEAMS = Call("teams", ("/v2/teams",), "teams", Paging.UNTIL)
PROJECTS = Call("projects", ("/v10/projects",), "projects", Paging.FROM)
PROJECT = Call("project", ("/v9/projects/{project}",))
DOMAINS = Call("domains", ("/v9/projects/{project}/domains",), "domains", Paging.UNTIL)
ENVIRONMENTS = Call("environments", ("/v9/projects/{project}/custom-environments",), "environments")
VARIABLES = Call("variables", ("/v10/projects/{project}/env",), "envs", Paging.UNTIL)
VARIABLE = Call("variable", ("/v1/projects/{project}/env/{thing}",))
ALIASES = Call("aliases", ("/v4/aliases",), "aliases", Paging.UNTIL)
DEPLOYMENTS = Call("deployments", ("/v7/deployments", "/v6/deployments"), "deployments", Paging.UNTIL)
DEPLOYMENT = Call("deployment", ("/v13/deployments/{thing}",))
FILES = Call("files", ("/v6/deployments/{thing}/files",))
DOMAIN_CONFIG = Call("domain config", ("/v6/domains/{thing}/config",))
ACCOUNT_DOMAINS = Call("account domains", ("/v5/domains",), "domains", Paging.UNTIL)
RECORDS = Call(
    "records", ("/v5/domains/{thing}/records", "/v4/domains/{thing}/records"), "records", Paging.UNTIL
)
EDGE_CONFIGS = Call("edge configs", ("/v1/global-config", "/v1/edge-config"))
EDGE_ITEMS = Call("edge config items", ("/v1/global-config/{thing}/items", "/v1/edge-config/{thing}/items"))
WEBHOOKS = Call("webhooks", ("/v1/webhooks",))
TOKEN = Call("token", ("/v5/user/tokens/{thing}",), "token")

CERTIFICATES = Call("certificates", ("/v8/certs",), "certs", Paging.UNTIL, False, _SDK)
SHARED = Call("shared variables", ("/v1/env",), "data", Paging.UNTIL, False, _SDK)
SHARED_ONE = Call("shared variable", ("/v1/env/{thing}",), "", Paging.NONE, False, _SDK)
REDIRECTS = Call("bulk redirects", ("/v1/bulk-redirects",), "redirects", Paging.NUMBER, False, _SDK)
ROUTES = Call("dashboard routes", ("/v1/projects/{project}/routes",), "routes", Paging.NONE, False, _SDK)
FIREWALL = Call("firewall", ("/v1/security/firewall/config",), "", Paging.NONE, False, _SDK)
STORES = Call("stores", ("/v1/storage/stores",), "stores", Paging.NONE, False, _CLI)
DRAINS = Call("drains", ("/v1/drains",), "drains", Paging.NONE, False, _SDK)
INTEGRATIONS = Call("integrations", ("/v1/integrations/configurations",), "", Paging.NONE, False, _SDK)
VISITS = Call("visits", ("/v1/query/web-analytics/visits/count",), "data", Paging.NONE, False, _SDK)
CHARGES = Call(
    "charges", ("/v1/billing/charges",), "", Paging.LINES, False, "in the vendor's handbook for billing only"
)

ALL = (
    USER, TEAMS, PROJECTS, PROJECT, DOMAINS, ENVIRONMENTS, VARIABLES, VARIABLE, ALIASES, DEPLOYMENTS,
    DEPLOYMENT, FILES, DOMAIN_CONFIG, ACCOUNT_DOMAINS, RECORDS, EDGE_CONFIGS, EDGE_ITEMS, WEBHOOKS,
    TOKEN, CERTIFICATES, SHARED, SHARED_ONE, REDIRECTS, ROUTES, FIREWALL, STORES, DRAINS, INTEGRATIONS,
    VISITS, CHARGES,
)  # fmt: skip
