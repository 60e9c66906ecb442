"""What is secret: the fields that the document marks so, and what is a credential wherever it stands."""

from __future__ import annotations

import re

from chaser_emulator.redaction import QUERY, marked
from chaser_emulator.spec import Operation

from chaser_contract.document import Document

CREDENTIAL = re.compile(
    r"\bsk_[A-Za-z0-9_-]{16,}|\bwhsec_[A-Za-z0-9+/]{16,}=*"
    r"|\beyJ[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+(?:[.][A-Za-z0-9_-]+)?"
)
"""Keys, signing secrets and access tokens, which show by their form."""


def fields_of_answers(document: Document, operation: Operation) -> frozenset[str]:
    """The fields of an operation's answers that are secret."""
    schemas = [schema for response in operation.responses.values() for schema in response.content.values()]
    return frozenset(marked(document.spec, schemas)) | always(document)


def fields_of_requests(document: Document, operation: Operation) -> frozenset[str]:
    """The fields of an operation's bodies that are secret."""
    schemas = [] if operation.body is None else list(operation.body.content.values())
    return frozenset(marked(document.spec, schemas)) | always(document)


def always(document: Document) -> frozenset[str]:
    """The fields that are secret whatever they are fields of."""
    schemas = document.spec.document.get("components", {}).get("schemas", {})
    return frozenset(marked(document.spec, schemas.values(), only="always"))


def anywhere(document: Document) -> frozenset[str]:
    """The fields that are secret anywhere: for bodies of which nobody knows what they are."""
    schemas = document.spec.document.get("components", {}).get("schemas", {})
    return frozenset(marked(document.spec, schemas.values())) | QUERY
