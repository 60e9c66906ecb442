"""Configurations of assistants: changed by JSON merge patches, at once or by a request that is approved."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from chaser_contract import making
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.subject import Subject

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a", "ü"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "ü"]), inner, max_size=2),
    max_leaves=4,
)

_ALERTS = st.lists(
    st.fixed_dictionaries(
        {
            "metric": st.sampled_from(["tokens", "tool_call", "session"]),
            "threshold": st.just(10**12),
            "window_seconds": st.integers(1, 60),
        }
    ),
    max_size=2,
)

CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "model": st.dictionaries(st.sampled_from(["provider", "model_id", "extra"]), st.just("m"), max_size=2),
        "system_prompt": st.sampled_from(["", "Be brief.\n", "ü"]),
        "tools": st.dictionaries(st.sampled_from(["sandbox", "browser"]), st.booleans(), max_size=2),
        "alerts": _ALERTS,
        "more": JSON,
    },
)

PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "model": st.none() | st.dictionaries(
            st.sampled_from(["provider", "model_id", "extra"]), st.sampled_from(["m", "n", None]), max_size=2
        ),
        "system_prompt": st.sampled_from([None, "", "Be brief.\n", "ü"]),
        "tools": st.none() | st.dictionaries(
            st.sampled_from(["sandbox", "browser"]), st.sampled_from([True, False, None]), max_size=2
        ),
        "alerts": st.none() | _ALERTS,
        "more": JSON,
    },
)  # fmt: skip


@promise("emulator", stateful=True)
def configurations_follow_merge_patches(chaser: Subject) -> None:
    """A change of a configuration is a JSON merge patch, made at once or by a request that is approved."""
    owner = making.assistant(chaser)["id"]
    held: dict[str, Any] = {"config": {}, "version": 1}

    def check(given: tuple[dict[str, Any], bool]) -> None:
        patch, asks = given
        if asks:
            rid = chaser.ask(
                "create-assistant-config-change-request", id=owner, json={"patch": patch}, expect=200
            ).json["id"]
            _configured(chaser.ask("get-assistant", id=owner, expect=200), held)
            chaser.ask("approve-assistant-config-change-request", id=owner, rid=rid, expect=200)
            _apply(held, patch)
        else:
            _apply(held, patch)
            _configured(chaser.ask("update-assistant", id=owner, json={"config": patch}, expect=200), held)
        _configured(chaser.ask("get-assistant", id=owner, expect=200), held)

    chaser.for_all(st.tuples(PATCHES, st.booleans()), check, examples=chaser.examples * 4)


def merged(target: Any, patch: Any) -> Any:
    """What RFC 7396 makes of a value and a patch."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _apply(held: dict[str, Any], patch: dict[str, Any]) -> None:
    after = merged(held["config"], patch)
    held["version"] += not same(after, held["config"])
    held["config"] = after


def _configured(answer: Answer, held: dict[str, Any]) -> None:
    told = answer.json["assistant"]
    answer.require(
        same(told["config"], held["config"]), "the configuration is what merge patches make of it",
        f"{told['config']}, not {held['config']}",
    )  # fmt: skip
    answer.require(
        told["config_version"] == held["version"], "`config_version` counts the changes of the configuration",
        f"{told['config_version']}, not {held['version']}",
    )  # fmt: skip


def same(one: Any, other: Any) -> bool:
    # Not by ==, to which true and 1 are the same.
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
