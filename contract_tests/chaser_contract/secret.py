"""What is secret: the fields that the document marks so, and what is a credential wherever it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from chaser_emulator.assembly import resolve
from chaser_emulator.spec import Operation

from chaser_contract.document import Document

HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "webhook-signature"})
"""Headers whose values are secret."""

QUERY = frozenset({"access_token", "token", "api_key", "code", "state", "code_verifier"})
"""Parameters whose values are secret, in queries and in forms."""

CREDENTIAL = re.compile(
    r"\bsk_[A-Za-z0-9_-]{16,}|\bwhsec_[A-Za-z0-9+/]{16,}=*"
    r"|\beyJ[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+(?:[.][A-Za-z0-9_-]+)?"
)
"""Keys, signing secrets and access tokens, which show by their form."""


def fields_of_answers(document: Document, operation: Operation) -> frozenset[str]:
    """The fields of an operation's answers that are secret."""
    schemas = [schema for response in operation.responses.values() for schema in response.content.values()]
    return frozenset(_marked(document, schemas)) | always(document)


def fields_of_requests(document: Document, operation: Operation) -> frozenset[str]:
    """The fields of an operation's bodies that are secret."""
    schemas = [] if operation.body is None else list(operation.body.content.values())
    return frozenset(_marked(document, schemas)) | always(document)


def always(document: Document) -> frozenset[str]:
    """The fields that are secret whatever they are fields of."""
    schemas = document.spec.document.get("components", {}).get("schemas", {})
    return frozenset(_marked(document, schemas.values(), only="always"))


def anywhere(document: Document) -> frozenset[str]:
    """The fields that are secret anywhere: for bodies of which nobody knows what they are."""
    schemas = document.spec.document.get("components", {}).get("schemas", {})
    return frozenset(_marked(document, schemas.values())) | QUERY


def _marked(document: Document, schemas: Iterable[Any], only: str | None = None) -> set[str]:
    found: set[str] = set()
    seen: set[int] = set()
    left = list(schemas)
    while left:
        node = left.pop()
        if isinstance(node, list):
            left += node
        elif isinstance(node, dict) and id(node) not in seen:
            seen.add(id(node))
            if isinstance(node.get("$ref"), str):
                left.append(resolve(document.spec.document, node))
            properties = node.get("properties")
            for name, part in properties.items() if isinstance(properties, dict) else ():
                mark = part.get("x-secret") if isinstance(part, dict) else None
                if mark is not None and only in (None, mark):
                    found.add(name)
            left += node.values()
    return found
