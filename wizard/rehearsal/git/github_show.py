"""Documents as GitHub's API shows them. Addresses of things nobody asks for are filled in from one table."""

from __future__ import annotations

from datetime import UTC, datetime

from wizard.rehearsal.git.state import (
    OWNER,
    CommitState,
    Document,
    HookState,
    KeyState,
    RepositoryState,
    tree_shas,
)

_SITE = "https://github.com"
_OF_PERSON = ("events", "followers", "following", "gists", "organizations", "received_events", "repos")
_OF_REPOSITORY = (
    "archive assignees blobs branches collaborators comments commits compare contents contributors "
    "deployments downloads events forks git_commits git_refs git_tags hooks issue_comment issue_events "
    "issues keys labels languages merges milestones notifications pulls releases stargazers statuses "
    "subscribers subscription tags teams trees"
)
_COUNTS = (
    "forks",
    "forks_count",
    "open_issues",
    "open_issues_count",
    "stargazers_count",
    "watchers",
    "watchers_count",
    "network_count",
    "subscribers_count",
)
_PERSON_COUNTS = (
    "followers",
    "following",
    "public_gists",
    "public_repos",
    "collaborators",
    "disk_usage",
    "owned_private_repos",
    "private_gists",
    "total_private_repos",
)


def when(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def person(login: str, base: str) -> Document:
    url = f"{base}/users/{login}"
    return {
        "login": login,
        "id": 1 + sum(login.encode()),
        "node_id": f"U_{login}",
        "avatar_url": f"{_SITE}/{login}.png",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{_SITE}/{login}",
        **{f"{word}_url": f"{url}/{word}" for word in (*_OF_PERSON, "starred", "subscriptions")},
        "type": "User",
        "site_admin": False,
    }


def user(login: str, base: str, now: float) -> Document:
    """The token's own person."""
    return {
        **person(login, base),
        "user_view_type": "private",
        **dict.fromkeys(("name", "company", "blog", "location", "email", "hireable", "bio"), None),
        "name": login,
        "blog": "",
        **dict.fromkeys(_PERSON_COUNTS, 0),
        "two_factor_authentication": True,
        "created_at": when(now - 900 * 86400.0),
        "updated_at": when(now),
    }


def repository(found: RepositoryState, base: str, rights: dict[str, bool] | None) -> Document:
    """`rights` is what the asking person may do; None for nobody."""
    url, site = f"{base}/repos/{found.name}", f"{_SITE}/{found.name}"
    head = found.head()
    said: Document = {
        "id": found.id,
        "node_id": f"R_{found.id}",
        "name": found.name.rpartition("/")[2],
        "full_name": found.name,
        "owner": person(found.owner, base),
        "private": found.private,
        "visibility": "private" if found.private else "public",
        "html_url": site,
        "description": None,
        "fork": False,
        "url": url,
        **{f"{word}_url": f"{url}/{word}" for word in _OF_REPOSITORY.split()},
        "clone_url": f"{site}.git",
        "git_url": f"git://github.com/{found.name}.git",
        "ssh_url": f"git@github.com:{found.name}.git",
        "svn_url": site,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "default_branch": found.default_branch,
        **dict.fromkeys(_COUNTS, 0),
        **dict.fromkeys(("has_issues", "has_projects", "has_wiki", "has_downloads"), True),
        **dict.fromkeys(("has_pages", "has_discussions", "archived", "disabled"), False),
        "size": sum(map(len, head.files.values())) // 1024 if head else 0,
        "created_at": when(found.created),
        "updated_at": when(head.at if head else found.created),
        "pushed_at": when(head.at if head else found.created),
    }
    return said if rights is None else {**said, "permissions": rights}


def commit(found: RepositoryState, one: CommitState, base: str) -> Document:
    url = f"{base}/repos/{found.name}/commits/{one.sha}"
    tree = tree_shas(one.files)[""]
    signed = {"name": OWNER, "email": f"{OWNER}@example.org", "date": when(one.at)}
    return {
        "sha": one.sha,
        "node_id": f"C_{one.sha[:16]}",
        "url": url,
        "html_url": f"{_SITE}/{found.name}/commit/{one.sha}",
        "comments_url": f"{url}/comments",
        "commit": {
            "url": f"{base}/repos/{found.name}/git/commits/{one.sha}",
            "author": signed,
            "committer": signed,
            "message": one.message,
            "tree": {"sha": tree, "url": f"{base}/repos/{found.name}/git/trees/{tree}"},
            "comment_count": 0,
        },
        "author": person(OWNER, base),
        "committer": person(OWNER, base),
        "parents": [{"sha": one.parent, "url": f"{base}/repos/{found.name}/commits/{one.parent}"}]
        if one.parent
        else [],
    }


def branch(found: RepositoryState, name: str, head: CommitState, base: str) -> Document:
    url = f"{base}/repos/{found.name}/branches/{name}"
    return {
        "name": name,
        "commit": commit(found, head, base),
        "_links": {"self": url, "html": f"{_SITE}/{found.name}/tree/{name}"},
        "protected": False,
        "protection": {"enabled": False},
        "protection_url": f"{url}/protection",
    }


def entry(found: RepositoryState, path: str, kind: str, sha: str, size: int, base: str) -> Document:
    """A row of a folder, and the frame of a file."""
    url = f"{base}/repos/{found.name}/contents/{path}"
    word = "blobs" if kind == "file" else "trees"
    git = f"{base}/repos/{found.name}/git/{word}/{sha}"
    html = f"{_SITE}/{found.name}/blob/{found.default_branch}/{path}"
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "size": size,
        "url": url,
        "html_url": html,
        "git_url": git,
        "download_url": html.replace("/blob/", "/raw/") if kind == "file" else None,
        "type": kind,
        "_links": {"self": url, "git": git, "html": html},
    }


def tree_row(path: str, sha: str, kind: str, size: int) -> Document:
    if kind == "tree":
        return {"path": path, "mode": "040000", "type": kind, "sha": sha}
    return {"path": path, "mode": "100644", "type": kind, "sha": sha, "size": size}


def hook(found: RepositoryState, one: HookState, base: str) -> Document:
    """Its secret is masked; `last_response` is of the newest delivery."""
    url = f"{base}/repos/{found.name}/hooks/{one.id}"
    last = one.deliveries[-1] if one.deliveries else None
    config = {"url": one.url, "content_type": "json", "insecure_ssl": "1" if one.insecure else "0"}
    if one.secret:
        config["secret"] = "*" * 8
    return {
        "type": "Repository",
        "id": one.id,
        "name": "web",
        "active": one.active,
        "events": list(one.events),
        "config": config,
        "created_at": when(one.created),
        "updated_at": when(one.created),
        "url": url,
        "test_url": f"{url}/tests",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": {
            "code": last.status_code if last else None,
            "status": ("active" if last.status_code < 300 else "invalid") if last else "unused",
            "message": last.status if last else None,
        },
    }


def key(found: RepositoryState, one: KeyState, base: str) -> Document:
    return {
        "id": one.id,
        "key": one.key,
        "url": f"{base}/repos/{found.name}/keys/{one.id}",
        "title": one.title,
        "verified": True,
        "created_at": when(one.created),
        "read_only": one.read_only,
        "added_by": OWNER,
        "last_used": when(one.last_used) if one.last_used else None,
        "enabled": True,
    }
