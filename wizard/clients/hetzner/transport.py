"""Calls to Hetzner's API: in threads, with time-outs, repeated only where that is safe.

A change is never cancelled half-way: the thread would go on unseen.
"""

from __future__ import annotations

import asyncio
import string
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import hcloud
import requests

from wizard import voice
from wizard.clients.hetzner import errors
from wizard.clients.uncut import finish
from wizard.clock import Clock
from wizard.errors import CredentialError, UnreachableError, VendorError, WizardError

T = TypeVar("T")
Answer = dict[str, Any]

TIMEOUT = (5.0, 30.0)
"""Real seconds to connect and to read: hcloud's own default waits for ever."""
_THREADS = 4
_TRIES = 7
_LONGEST_NAP = 30.0
_PER_PAGE = 50
_POLLS_EACH_SECOND = 10
_PATIENCE = {
    "locked": "Hetzner still works on this thing",
    "conflict": "Hetzner is changing this thing at the same time",
    "rate_limit_exceeded": "Hetzner's limit of requests is reached",
}
_ACTION_LIMIT = 900.0
"""World seconds after which an action counts as stuck."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What the last answer said of the request limit; `reset` is a moment."""

    limit: int
    remaining: int
    reset: float


def clean_token(token: str | None) -> str:
    """The token without what a paste adds. Raises CredentialError when it can't be one."""
    text = (token or "").strip().strip("\"'").strip()
    if not text:
        raise CredentialError(
            "There is no Hetzner token",
            next="Set HCLOUD_TOKEN to a token with Read & Write (console: Security → API tokens).",
        )
    if not set(text) <= set(string.ascii_letters + string.digits):
        raise CredentialError(
            "HCLOUD_TOKEN holds characters that no Hetzner token has",
            "it was probably cut or decorated while copying",
            "Copy it again: letters and digits only, usually 64 of them.",
        )
    return text


class Transport:
    """`token` is asked for when first needed. `url` has no trailing slash."""

    def __init__(self, url: str, token: Callable[[], Awaitable[str | None]], clock: Clock) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._clock = clock
        self._client: hcloud.Client | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="hetzner")
        self._actions: dict[int, asyncio.Future[Answer]] = {}
        self._poller: asyncio.Task[None] | None = None
        self.budget: Budget | None = None

    async def get(self, path: str, doing: str, params: Mapping[str, Any] | None = None) -> Answer:
        """Read. Repeated after any trouble that may pass.

        Raises UnreachableError, CredentialError, VendorError and its kinds in `errors`.
        """
        return await self._retry("GET", path, doing, params=params)

    async def all(
        self, path: str, key: str, doing: str, params: Mapping[str, Any] | None = None
    ) -> list[Answer]:
        """Every page of a list."""
        found: list[Answer] = []
        page: int | None = 1
        while page is not None:
            answer = await self.get(path, doing, {**(params or {}), "page": page, "per_page": _PER_PAGE})
            found += answer[key]
            page = answer["meta"]["pagination"]["next_page"]
        return found

    async def change(self, method: str, path: str, doing: str, body: Answer | None = None) -> Answer:
        """Mutate, and wait until the actions that it started have ended.

        Raises UnreachableError when it is not known whether it took effect: observe before repeating.
        """

        async def whole() -> Answer:
            answer = await self._retry(method, path, doing, body=body)
            await self.wait_for(_actions(answer), doing)
            return answer

        return await finish(whole())

    async def wait_for(self, actions: Sequence[Answer], doing: str) -> None:
        """Until all have ended. Raises the error of the first that failed."""
        loop = asyncio.get_running_loop()
        running = [action for action in actions if action["status"] == "running"]
        for action in running:
            self._actions.setdefault(int(action["id"]), loop.create_future())
        waited = [self._actions[int(action["id"])] for action in running]
        if waited and (self._poller is None or self._poller.done()):
            self._poller = asyncio.create_task(self._poll())
        ended = [await asyncio.shield(future) for future in waited]
        for action in (*[a for a in actions if a["status"] != "running"], *ended):
            if action["status"] == "error":
                problem = action.get("error") or {}
                raise errors.sentence(
                    str(problem.get("code", "action_failed")),
                    str(problem.get("message", "the action failed")),
                    doing,
                )

    async def aclose(self) -> None:
        if self._poller is not None:
            self._poller.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _poll(self) -> None:
        """One request for all actions anybody waits for."""
        polls, began = 0, self._clock.now()
        try:
            while self._actions:
                await self._clock.sleep(1.0 if polls < _POLLS_EACH_SECOND else 3.0)
                polls += 1
                ids = list(self._actions)[:_PER_PAGE]
                answer = await self.get("/actions", "following actions", {"id": ids})
                for action in answer["actions"]:
                    if action["status"] != "running" and (future := self._actions.pop(action["id"], None)):
                        future.set_result(action)
                if self._clock.now() - began > _ACTION_LIMIT:
                    raise UnreachableError("Hetzner's actions do not end", next="Run again: it goes on.")
        except WizardError as error:
            self._give_up(error)
        except (KeyError, TypeError) as error:
            self._give_up(UnreachableError("Hetzner's API answers in another form", type(error).__name__))
        finally:
            for future in self._actions.values():
                future.cancel()
            self._actions = {}

    def _give_up(self, error: WizardError) -> None:
        waiting, self._actions = self._actions, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(error)

    async def _retry(self, method: str, path: str, doing: str, **what: Any) -> Answer:
        reading = method == "GET"
        for attempt in range(_TRIES):
            try:
                return await self._once(method, path, doing, **what)
            except UnreachableError as error:
                if not reading or attempt == _TRIES - 1:
                    raise
                why = error.what
            except VendorError as error:
                if error.code not in errors.NOT_DONE or attempt == _TRIES - 1:
                    raise
                why = _PATIENCE[error.code]
            nap = self._nap(attempt)
            voice.say(f"{why} ({doing}): again in {nap:.0f} s, {attempt + 2} of {_TRIES} tries")
            await self._clock.sleep(nap)
        raise AssertionError("unreachable")

    def _nap(self, attempt: int) -> float:
        if self.budget is not None and self.budget.remaining == 0:
            return min(max(1.0, self.budget.reset - self._clock.now()), _LONGEST_NAP)
        return min(2.0**attempt, _LONGEST_NAP)

    async def _once(self, method: str, path: str, doing: str, **what: Any) -> Answer:
        client = await self._ready()
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: self._blocking(client, method, path, doing, **what)
        )
        return await (work if method == "GET" else finish(work))

    @staticmethod
    def _blocking(
        client: hcloud.Client,
        method: str,
        path: str,
        doing: str,
        params: Mapping[str, Any] | None = None,
        body: Answer | None = None,
    ) -> Answer:
        """In a thread. Everything that hcloud and requests raise becomes one of ours."""
        try:
            answer: Answer = client.request(
                method, path, **({"params": params} if params else {}), **({"json": body} if body else {})
            )
            return answer
        except hcloud.APIException as error:
            code = str(error.code)
            if code in errors.UNKNOWN_OUTCOME:
                raise UnreachableError(
                    "Hetzner's API is in trouble",
                    f"while {doing}: {error.message} ({code})",
                    "Run again later: what was done is found again.",
                ) from error
            raise errors.sentence(
                code, str(error.message), doing, error.details, error.correlation_id
            ) from error
        except requests.exceptions.RequestException as error:
            raise UnreachableError(
                "Hetzner's API does not answer",
                f"while {doing}: {type(error).__name__}",
                "Check the network, then run again: what was done is found again.",
            ) from error

    async def _ready(self) -> hcloud.Client:
        if self._client is None:
            token = clean_token(await self._token())
            client = hcloud.Client(
                token,
                api_endpoint=self._url,
                application_name="dokploy-wizard",
                timeout=TIMEOUT,
            )
            # hcloud repeats a POST after a time-out and sleeps in real time: both are ours to decide.
            client._client._retry_max_retries = 0
            client._client._session.hooks["response"].append(self._note_budget)
            self._client = client
        return self._client

    def _note_budget(self, response: requests.Response, *_: Any, **__: Any) -> None:
        headers = response.headers
        try:
            self.budget = Budget(
                int(headers["RateLimit-Limit"]),
                int(headers["RateLimit-Remaining"]),
                float(headers["RateLimit-Reset"]),
            )
        except (KeyError, ValueError):
            return


def _actions(answer: Answer) -> list[Answer]:
    one = answer.get("action")
    return [*([one] if one else []), *answer.get("actions", ()), *answer.get("next_actions", ())]
