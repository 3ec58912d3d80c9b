"""The rules in a page's isolated world, where the page can neither see nor replace them."""

from __future__ import annotations

import json
import secrets
from typing import Any

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

NAME = "feedsway"
ELSEWHERE = (
    "Execution context was destroyed",
    "Cannot find context",
    "Inspected target navigated or closed",
    "Promise was collected",
    "frame was detached",
    "No frame for given id found",
    "Not attached to an active page",
)
"""The DevTools protocol has one class of error; these are the words of a page that moved on."""
CALL = "function(rule, argument) { return __feedsway.answer(rule, argument); }"


class DocumentGone(Exception):
    """The document that was asked is not there any more."""


class IsolatedWorld:
    """The rules in each document of a page, which can neither see nor replace them."""

    def __init__(self, devtools: CDPSession) -> None:
        self._devtools = devtools
        self._token = secrets.token_hex(16)
        self._context: int | None = None

    async def install(self, rules: str) -> None:
        """Have the rules run in every later document, before any script of the page."""
        # The token, which the page cannot read, proves that an answer is the rules' own.
        source = f"""if (window === top) {{ {rules}
            __feedsway.answer = async (rule, argument) =>
                ({{ token: {json.dumps(self._token)}, value: await __feedsway[rule](argument) }});
        }}"""
        await self._devtools.send("Page.enable")
        await self._devtools.send(
            "Page.addScriptToEvaluateOnNewDocument", {"source": source, "worldName": NAME}
        )

    async def enter(self) -> None:
        """Ask the document that is there now from now on."""
        tree = await self._send("Page.getFrameTree", {})
        frame = {"frameId": tree["frameTree"]["frame"]["id"], "worldName": NAME}
        self._context = (await self._send("Page.createIsolatedWorld", frame))["executionContextId"]

    async def ask(self, rule: str, argument: Any) -> Any:
        """Call a rule and wait for its result; ``DocumentGone`` where the page moved on."""
        if self._context is None:
            await self.enter()
        answer = await self._send(
            "Runtime.callFunctionOn",
            {
                "functionDeclaration": CALL,
                "executionContextId": self._context,
                "arguments": [{"value": rule}, {"value": argument}],
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            reason = details.get("exception", {}).get("description") or details.get("text", "")
            raise PlaywrightError(f"the rule {rule!r} failed: {reason}")
        value = answer["result"].get("value")
        if not isinstance(value, dict) or value.get("token") != self._token:
            raise DocumentGone(f"another document answered {rule!r}")
        return value.get("value")

    async def _send(self, method: str, given: dict[str, Any]) -> Any:
        try:
            return await self._devtools.send(method, given)
        except PlaywrightError as error:
            if any(words in str(error) for words in ELSEWHERE):
                raise DocumentGone(str(error).strip().splitlines()[0]) from error
            raise
