"""Pages of lists: no gap, no repeat, newest first, as many as were asked for."""

from __future__ import annotations

from chaser_contract.promises import promise
from chaser_contract.subject import Subject


@promise()
def pages_of_sessions_join(chaser: Subject) -> None:
    """The pages of a list, put together, are the list: nothing is missing, nothing comes twice."""
    made = [chaser.ask("create-session", json={"ephemeral": True}, expect=200).json["id"] for _ in range(5)]
    whole = [one["id"] for one in chaser.ask("list-sessions", query={"limit": 200}, expect=200).json["sessions"]]
    chaser.require(set(made) <= set(whole), "list-sessions: what was created is listed", f"listed are {whole}")
    for limit in (1, 2, 3):
        paged: list[str] = []
        for offset in range(0, len(whole), limit):
            page = chaser.ask("list-sessions", query={"limit": limit, "offset": offset}, expect=200)
            page.require(len(page.json["sessions"]) <= limit, "a page holds at most `limit`")
            paged += [one["id"] for one in page.json["sessions"]]
        chaser.require(paged == whole, "list-sessions: pages join without gap or repeat", f"{paged} is not {whole}")
