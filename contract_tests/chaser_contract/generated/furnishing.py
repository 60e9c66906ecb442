"""Furnished: things that requests can be about, made before Schemathesis begins, and named as its examples."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

from chaser_emulator.assembly import resolve

from chaser_contract.arranging import Arranged
from chaser_contract.asking import Asking
from chaser_contract.broken import NotTried
from chaser_contract.subject import Subject


def furnish(chaser: Subject, document: dict[str, Any], operations: Collection[str]) -> dict[str, str]:
    """Make what each operation is about, and write it into the document as the example of its path and its body.

    What is made up by itself is about nothing that there is. Answers the accounts that operations are to be asked in.
    """
    arranged = Arranged(chaser)
    accounts: dict[str, str] = {}
    for name in operations:
        with chaser.case():
            try:
                asking = arranged.request_of(name)
            except (NotTried, KeyError):
                continue
            _write(document, asking)
            if asking.account is not None:
                accounts[name] = asking.account
    return accounts


def _write(document: dict[str, Any], asking: Asking) -> None:
    node = document["paths"][asking.operation.path][asking.operation.method.lower()]
    parameters = []
    for one in node.get("parameters", ()):
        parameter = copy.deepcopy(dict(resolve(document, one)))
        if parameter["in"] == "path" and parameter["name"] in asking.path:
            parameter.pop("examples", None)
            parameter["example"] = asking.path[parameter["name"]]
        parameters.append(parameter)
    if parameters:
        node["parameters"] = parameters
    if asking.has_body and asking.content is None and asking.files is None:
        body = node["requestBody"] = copy.deepcopy(dict(resolve(document, node["requestBody"])))
        content = body["content"]["application/json"]
        content["examples"] = {**content.pop("examples", {}), "arranged": {"value": asking.json}}
