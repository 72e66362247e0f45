"""An app's variables: gathered from where they stand today, judged by their names, written for the panel.

Values stay in memory; only names leave this module towards plans, records and checks.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets as dice
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.config import AppKind, EnvSource
from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases.hosts import old_host, secret_word
from wizard.redact import redact, remember

if TYPE_CHECKING:
    from wizard.config import App

_SECRET_NAME = re.compile(
    r"SECRET|PASSWORD|PASSWD|TOKEN|PRIVATE|CREDENTIAL|API_?KEY|ACCESS_KEY|SIGNING|ENCRYPTION|DATABASE_URL|_DSN$"
)
PUBLIC_NAME = re.compile(r"^(VITE|PUBLIC|NEXT_PUBLIC|NUXT_PUBLIC|GATSBY|REACT_APP)_")
"""What these begin with is built into pages that every visitor loads."""
_VENDOR_NAME = re.compile(r"^(VERCEL|NX_|TURBO_)")
_GIVEN = frozenset({"APP_NAME", "COMPOSE_PROJECT_NAME", "DOCKER_CONFIG", "PWD", "HOME", "PATH"})
"""Set by the panel or by compose itself."""
_PLACEHOLDER = re.compile(r"IMPORTED_TO_VAULT")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-]*")
_DIGEST_KEY = "ENVIRONMENT_DIGEST_KEY"


@dataclass(frozen=True, slots=True)
class Variables:
    """`run` for the running container, `build` for the build. `refused` were left out as secret-looking.

    `required` lack a value without which compose or the build stops; `empty` lack one and become "".
    `unused` are names that nothing of the app mentions; `placeholders` have their value in a vault.
    `left` stay behind by the operator's word.
    """

    run: Mapping[str, str] = field(repr=False)
    build: Mapping[str, str] = field(repr=False)
    refused: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def looks_secret(name: str, value: str) -> bool:
    """By its name, unless that says that it is public; by its value in any case."""
    by_name = bool(_SECRET_NAME.search(name.upper())) and not PUBLIC_NAME.match(name)
    return by_name or redact(value) != value


def secret_name(app: App, variable: str) -> str:
    """Where a value is kept that the operator typed in for a missing variable."""
    return f"ENV_{secret_word(app.name)}_{secret_word(variable)}"


async def given(ctx: Context, app: App, variable: str) -> str:
    """What the operator typed for a variable; "" if nothing. What pages show to everybody is no secret."""
    name = secret_name(app, variable)
    return ctx.answers.get(name, "") or await ctx.world.secrets.get(name) or ""


def _left(ctx: Context, app: App) -> set[str]:
    """Variables that the look at Vercel asked about, and that stay behind."""
    found = set()
    for project in ctx.config.vercel:
        prefix = f"prepare.vercel.{project.name}.variable."
        for question, answer in ctx.answers.items():
            label = question.removeprefix(prefix)
            if project.app == app.name and label != question and answer == "leave" and "production" in label:
                found.add(label.partition(" ")[0])
    return found


async def gather(ctx: Context, app: App) -> Variables:
    """Everything that the app will get. Raises WizardError when its source cannot be read."""
    values, unreadable = await _source(ctx, app)
    values = {name: value for name, value in values.items() if not _VENDOR_NAME.match(name)}
    wanted, optional, text, in_file = await _wanted(ctx, app)
    values = {**in_file, **values, **dict(app.env_extra)}
    for name in (*wanted, *app.build_args, *unreadable):
        if name not in values and (typed := await given(ctx, app, name)):
            values[name] = typed
    left = _left(ctx, app) - values.keys()
    unreadable = tuple(name for name in unreadable if name not in left)
    refused = () if app.secrets_on_host else tuple(n for n, v in values.items() if looks_secret(n, v))
    if not app.secrets_on_host:
        # What nobody may read back is a secret: it is refused like the others, not asked for.
        refused, unreadable = (*refused, *(n for n in unreadable if n not in values)), ()
    for name, value in values.items():
        if looks_secret(name, value) and not _PLACEHOLDER.search(value):
            remember(value)
    kept = {name: value for name, value in values.items() if name not in refused}
    build = {name: kept[name] for name in app.build_args if name in kept}
    run = {name: value for name, value in kept.items() if name not in build}
    missing_builds = tuple(name for name in app.build_args if name not in {*kept, *refused, *left})
    return Variables(
        run,
        build,
        refused,
        tuple(dict.fromkeys((*(n for n in wanted if n not in values), *missing_builds))),
        tuple(name for name in optional if name not in values),
        tuple(name for name in run if text and name not in text),
        tuple(name for name, value in kept.items() if _PLACEHOLDER.search(value)),
        tuple(name for name in unreadable if name not in values),
        tuple(sorted(left)),
    )


async def _source(ctx: Context, app: App) -> tuple[dict[str, str], tuple[str, ...]]:
    """Values by name, and names whose value nobody can read."""
    from wizard.compose import dotenv

    match app.env_source:
        case EnvSource.OLD_HOST:
            return dotenv.parse(await _of_old_host(ctx, app)), ()
        case EnvSource.FILE:
            return dotenv.parse(_of_file(app)), ()
        case EnvSource.VERCEL:
            return await _of_vercel(ctx, app)
    return {}, ()


async def _of_old_host(ctx: Context, app: App) -> str:
    old = ctx.config.old_host
    path = f"{old.directory if old else ''}/{app.env_file or '.env'}"
    text = await (await old_host(ctx)).read(path)
    if text is None:
        raise WizardError(
            f"There is no {path} on the old host",
            f"the variables of {app.name} are to come from there",
            "Correct env_file of the app, or directory of [old_host].",
        )
    return text


def _of_file(app: App) -> str:
    try:
        return Path(app.env_file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WizardError(
            f"{app.env_file} cannot be read", type(error).__name__, f"Correct env_file of {app.name}."
        ) from error


async def _of_vercel(ctx: Context, app: App) -> tuple[dict[str, str], tuple[str, ...]]:
    """Production values of the projects that this app takes the place of."""
    values: dict[str, str] = {}
    unreadable: dict[str, None] = {}
    for wish in ctx.config.vercel:
        if wish.app != app.name:
            continue
        for variable in await ctx.world.vercel.variables(wish.name, wish.team):
            if variable.kind == "system" or variable.branch or "production" not in variable.targets:
                continue
            if variable.value is None:
                unreadable[variable.name] = None
            else:
                # The project's own come first; the team's shared ones do not replace them.
                values.setdefault(variable.name, variable.value)
    return values, tuple(name for name in unreadable if name not in values)


async def _wanted(ctx: Context, app: App) -> tuple[tuple[str, ...], tuple[str, ...], str, dict[str, str]]:
    """Names without which compose stops, names that become empty, the text that mentions names, and values
    that stood in the file itself until the review took them out."""
    if app.kind is not AppKind.COMPOSE:
        return (), (), "", {}
    from wizard.phases.apps.compose import production

    made = await production(ctx, app)
    required, empty = used_variables(made.text)
    mentions = "" if "env_file" in made.text else made.text
    return required, empty, mentions, dict(made.values)


def used_variables(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of a compose file: names it stops without, and names that silently become empty."""
    from wizard.compose.document import parse, scalars
    from wizard.compose.interpolation import InterpolationError, variables

    required: dict[str, None] = {}
    empty: dict[str, None] = {}
    for node in scalars(parse(text).root):
        try:
            found = tuple(variables(node.value)) if "$" in node.value else ()
        except InterpolationError:
            continue
        for one in found:
            if one.name in _GIVEN or one.default is not None or one.replaced_if_set:
                continue
            (required if one.required else empty)[one.name] = None
    return tuple(required), tuple(name for name in empty if name not in required)


def panel_text(values: Mapping[str, str]) -> str:
    """`NAME=value` lines as the panel's reader (the dotenv of Node) takes them back unchanged.

    Raises WizardError where that cannot be, as that reader knows no escapes.
    """
    return "\n".join(f"{name}={_quoted(name, value)}" for name, value in values.items())


def _quoted(name: str, value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    # A backslash before the closing quote would keep that reader from seeing the end.
    if not value.endswith("\\"):
        for quote in ("'", "`"):
            if quote not in value:
                return f"{quote}{value}{quote}"
        if '"' not in value and "\\" not in value:
            return f'"{value}"'
    if not re.search(r"[#\n\r]", value) and value == value.strip() and value[0] not in "'\"`":
        return value
    raise WizardError(
        f"The panel could not take the value of {name} back unchanged",
        "its reader of variables knows no escapes, and the value has every kind of quote in it, or needs "
        "quotes and ends with a backslash that hides the closing one",
        "Give that variable as a file mount in the panel, and take it out of the source.",
    )


def panel_values(text: str) -> dict[str, str]:
    """What the panel's reader makes of such a text."""
    values: dict[str, str] = {}
    for found in _LINE.finditer(text.replace("\r\n", "\n")):
        value = (found[2] or "").strip()
        if value[:1] in ("'", '"', "`") and value[-1:] == value[:1] and len(value) > 1:
            quote, value = value[0], value[1:-1]
            if quote == '"':
                value = value.replace("\\n", "\n").replace("\\r", "\r")
        values[found[1]] = value
    return values


_LINE = re.compile(
    r"^[^\S\n]*(?:export\s+)?([\w.-]+)[^\S\n]*(?:=[^\S\n]*|:[^\S\n]+)"
    r"((?:'(?:\\'|[^'])*'|\"(?:\\\"|[^\"])*\"|`(?:\\`|[^`])*`|[^#\n]*))?[^\S\n]*(?:#[^\n]*)?$",
    re.MULTILINE,
)


async def digest(ctx: Context, *parts: Mapping[str, str]) -> str:
    """Changes with the values and tells nothing about them: keyed by a secret of this migration."""
    key = await ctx.world.secrets.get(_DIGEST_KEY)
    if not key:
        key = dice.token_hex(32)
        await ctx.world.secrets.put(_DIGEST_KEY, key)
    text = "\0".join(f"{name}={value}" for values in parts for name, value in sorted(values.items()))
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]


def listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
