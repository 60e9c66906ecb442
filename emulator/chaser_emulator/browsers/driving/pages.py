"""One open page as its driver knows it: where it is, whether it loads, and what it has said and asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from chaser_emulator.browsers.devtools import Conversation, Failed, Json, NoAnswer, Refused
from chaser_emulator.browsers.driving import NotDone
from chaser_emulator.browsers.driving.watching import Console, Network

PATIENCE = 8.0
"""Seconds that a page may take for an answer that costs it little."""

GROUP = "driving"
"""Objects of a page that are held on to until the end of a tool."""

DIALOGS = 100
"""How many dialogs of a page are answered for one tool. One that goes on has to be killed: it hears nothing else."""

_KEPT = 50
_COURTESY = 1.0
_OURS = {"about", "blob", "chrome", "chrome-extension", "data", "file", "filesystem", "http", "https", "view-source"}
"""Schemes of what a browser shows itself; others are for other programs."""

_BUSY = 2.0
"""Seconds for a page that has already been silent for longer."""

_FRAMES = [{"type": "iframe"}]
_ENABLE: tuple[tuple[str, Json], ...] = (
    ("Page.enable", {}),
    ("Page.setLifecycleEventsEnabled", {"enabled": True}),
    ("Runtime.enable", {}),
    ("Log.enable", {}),
    # Nobody asks for bodies.
    ("Network.enable", {"maxTotalBufferSize": 100_000, "maxResourceBufferSize": 50_000}),
    ("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True, "filter": _FRAMES}),
    ("Runtime.runIfWaitingForDebugger", {}),
)


@dataclass(frozen=True)
class Node:
    """Something on a page that a snapshot has given an id: where it is, and what it is called."""

    session: str
    frame: str
    backend: int
    role: str
    name: str

    def __str__(self) -> str:
        return f'{self.role} "{self.name[:80]}"' if self.name else self.role


@dataclass(frozen=True)
class Part:
    """A frame of a page that lives in a process of its own, attached as a session below another one."""

    target: str
    parent: str


@dataclass(frozen=True)
class Mark:
    """How far a page had come at some moment."""

    documents: int
    requests: int


class Page:
    """A page that is attached. Its state follows from what the browser tells; `until` waits for it."""

    def __init__(self, talk: Conversation, session: str, target: str) -> None:
        self.talk = talk
        self.session = session
        self.target = target
        self.console = Console()
        self.network = Network()
        self.dialogs: list[Json] = []
        self.downloads: list[str] = []
        self.nodes: dict[str, Node] = {}
        self.parts: dict[str, Part] = {}
        self.url = ""
        self.loader = ""
        self.loaded = ""
        self.starting = ""
        self.unreachable: str | None = None
        self.other_program: str | None = None
        self.documents = 0
        self.moves = 0
        self.crashed = False
        self.answered = 0
        self.asking = False
        self.leave_dialogs = False
        self.acted_on = True
        self.closed = False
        self.busy = False
        self._worlds: dict[tuple[str, str], int] = {}
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        talk.sessions[session] = partial(self._hear, session)
        self._ready = self._spawn(self._prepare())

    async def ask(
        self, method: str, *, within: float = PATIENCE, session: str | None = None, telling: bool = True, **params: Any
    ) -> Json:
        """The result of a command to the page, or to a part of it. Raises NotDone, and Refused in Chromium's words.

        `telling` False: that there is no answer in time does not make it a page that others wait for only shortly.
        """
        await self.prepared()
        if self.busy:
            within = min(within, _BUSY)
        self.require_open()
        try:
            answer = await self.talk.call(method, params, session=session or self.session, patience=within)
        except Refused:
            raise
        except NoAnswer:
            self.busy = self.busy or telling
            raise NotDone(
                f"the page did not answer to {method} in time: a script may keep it busy; go elsewhere with "
                "navigate_page, or close it with close_page"
            ) from None
        except Failed as error:
            self.require_open()
            raise NotDone(f"{error}") from None
        self.busy = False
        return answer

    async def prepared(self) -> None:
        """Wait until the browser tells what happens on the page."""
        await asyncio.wait({self._ready}, timeout=PATIENCE)

    def require_open(self) -> None:
        """Raise NotDone for a page that is gone, or can do nothing but go elsewhere."""
        if self.closed:
            raise NotDone("the page has been closed")
        if self.crashed:
            why = f"opened {DIALOGS} dialogs in a row and was stopped" if self.answered >= DIALOGS else "has crashed"
            raise NotDone(f"the page {why}; go to an address with navigate_page, or close it with close_page")

    async def until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Wait for something to become true of the page; answers whether it has. Raises NotDone when the page ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not true():
                    self.require_open()
                    await self._news.wait()
        return true()

    @property
    def at_rest(self) -> bool:
        """Whether its document has loaded and no other is on its way."""
        return not self.starting and self.loaded == self.loader

    def mark(self) -> Mark:
        return Mark(self.documents, self.network.last)

    async def world(self, session: str, frame: str) -> int:
        """The context of our own scripts in a frame: beside the page's own, which may have replaced what we use."""
        known = self._worlds.get((session, frame))
        if known is None:
            made = await self.ask("Page.createIsolatedWorld", session=session, frameId=frame, worldName=GROUP)
            known = self._worlds[session, frame] = int(made["executionContextId"])
        return known

    def forget_world(self, session: str, frame: str) -> None:
        self._worlds.pop((session, frame), None)

    def session_of(self, frame: str, near: str) -> str:
        """The session that a frame belongs to, which is mentioned in another session."""
        return next((session for session, part in self.parts.items() if part.target == frame), near)

    def root_of(self, session: str) -> str:
        """The outermost frame of a session."""
        return self.parts[session].target if session in self.parts else self.target

    async def sweep(self) -> None:
        """Let go of the objects that a tool has held on to."""
        with contextlib.suppress(Failed):
            for session in (self.session, *self.parts):
                await self.talk.post("Runtime.releaseObjectGroup", {"objectGroup": GROUP}, session=session)

    def end(self) -> None:
        """The page is gone."""
        self.closed = True
        for session in (self.session, *self.parts):
            self.talk.sessions.pop(session, None)
            self.talk.hang_up(session, "the page has been closed")
        for task in list(self._tasks):
            task.cancel()
        self._tell()

    async def _prepare(self) -> None:
        with contextlib.suppress(Failed):
            await self._enable(self.session)
            told = await self.talk.call("Page.getFrameTree", {}, session=self.session, patience=PATIENCE)
            frame = told["frameTree"]["frame"]
            if not self.loader:
                self.loader, self.url = frame["loaderId"], frame["url"]
                self.unreachable = frame.get("unreachableUrl")

    async def _enable(self, session: str) -> None:
        for method, params in _ENABLE:
            await self.talk.post(method, params, session=session)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _tell(self) -> None:
        before, self._news = self._news, asyncio.Event()
        before.set()

    def _hear(self, session: str, method: str, params: Json) -> None:
        if method.startswith("Network."):
            self.network.hear(method, params)
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.console.hear(method, params)
        elif session == self.session and params.get("frameId", self.target) == self.target:
            self._hear_main(method, params)
        self._hear_any(session, method, params)
        self._tell()

    def _hear_any(self, session: str, method: str, params: Json) -> None:
        match method:
            case "Page.frameNavigated":
                frame = params["frame"]["id"]
                self.forget_world(session, frame)
                # Another process may count its elements anew.
                self.nodes = {uid: node for uid, node in self.nodes.items() if node.frame != frame}
            case "Runtime.executionContextsCleared":
                self._worlds = {key: world for key, world in self._worlds.items() if key[0] != session}
            case "Page.javascriptDialogOpening":
                self.asking = True
                if not self.leave_dialogs:
                    self._spawn(self._answer(session, params))
            case "Page.javascriptDialogClosed":
                self.asking = False
            case "Page.downloadWillBegin":
                self.downloads = [*self.downloads, str(params.get("suggestedFilename") or params.get("url"))][-_KEPT:]
            case "Target.attachedToTarget":
                self._attach(session, params)
            case "Target.detachedFromTarget":
                gone = str(params.get("sessionId", ""))
                self.parts.pop(gone, None)
                self.talk.sessions.pop(gone, None)
                self.talk.hang_up(gone, "the frame is gone")
            case "Inspector.detached" if session == self.session:
                self.end()
            case "Inspector.targetCrashed" if session == self.session:
                self.crashed = True
                self.talk.hang_up(session, "the page has crashed")

    def _hear_main(self, method: str, params: Json) -> None:
        match method:
            case "Page.frameStartedNavigating":
                if not str(params.get("navigationType", "")).lower().endswith("samedocument"):
                    self.starting = str(params.get("loaderId", "?"))
                    scheme = str(params.get("url", "")).partition(":")[0].lower()
                    self.other_program = None if scheme in _OURS else scheme
            case "Page.frameNavigated" if "parentId" not in params["frame"]:
                frame = params["frame"]
                self.loader, self.starting = frame["loaderId"], ""
                self.url = frame["url"] + frame.get("urlFragment", "")
                self.unreachable = frame.get("unreachableUrl")
                self.documents += 1
                self.nodes = {}
                self.crashed = self.busy = False
                if params.get("type") == "BackForwardCacheRestore":
                    self.loaded = self.loader
            case "Page.navigatedWithinDocument":
                self.url = str(params.get("url", self.url))
                self.moves += 1
            case "Page.lifecycleEvent" if params.get("name") == "load":
                self.loaded = str(params.get("loaderId", ""))
            case "Page.frameStoppedLoading":
                self.starting = ""

    def _attach(self, parent: str, params: Json) -> None:
        session, info = str(params["sessionId"]), params["targetInfo"]
        self.parts[session] = Part(str(info["targetId"]), parent)
        self.talk.sessions[session] = partial(self._hear, session)
        self._spawn(self._enable_part(session))

    async def _enable_part(self, session: str) -> None:
        with contextlib.suppress(Failed):
            await self._enable(session)

    async def _answer(self, session: str, params: Json) -> None:
        """Answer a dialog as a person would who wants to go on: the page stands still until then."""
        kind, message = str(params.get("type", "alert")), str(params.get("message", ""))
        answer: Json = {"accept": True}
        if kind == "prompt":
            answer["promptText"] = str(params.get("defaultPrompt", ""))
        if not self.acted_on:
            # It may be the affair of somebody else who drives this browser, and who hears of it just now.
            await asyncio.sleep(_COURTESY)
            if not self.asking:
                return
        self.answered += 1
        with contextlib.suppress(Failed):
            if self.answered >= DIALOGS:
                await self.talk.post("Page.crash", {}, session=self.session)
                return
            await self.talk.post("Page.handleJavaScriptDialog", answer, session=session)
        self.dialogs = [*self.dialogs, {"type": kind, "message": message[:2000], "answer": "accepted"}][-_KEPT:]
