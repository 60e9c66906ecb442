"""Lists that are in another order, leave something out, show something twice, or do not count right."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import edit

defect = partial(declare, __name__)

defect(
    "sessions-oldest-first",
    "The list of sessions begins with the oldest.",
    edit("store.sessions:live", "created_at DESC, id DESC", "created_at, id"),
    "pagination",
)
