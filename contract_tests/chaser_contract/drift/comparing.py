"""Comparing: two versions of a document, operation by operation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaser_contract.drift.changes import Change, Direction, Verdict
from chaser_contract.drift.documents import Node, Version, escaped
from chaser_contract.drift.schemas import Schemas


@dataclass
class Drift:
    """What differs, and the places of the old document that the new one speaks of as well."""

    changes: list[Change] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    alike: set[tuple[str, str, str, str]] = field(default_factory=set)

    def of(self, verdict: Verdict) -> list[Change]:
        """The changes with one verdict."""
        return [change for change in self.changes if change.verdict == verdict]


def drift(old: Version, new: Version) -> Drift:
    """Everything that differs between two versions for clients of the old one."""
    found = Drift()
    before = {_key(path, method): (path, method, node) for path, method, node in old.operations()}
    after = {_key(path, method): (path, method, node) for path, method, node in new.operations()}
    for key, (path, method, node) in before.items():
        pair = _Operation(old, new, found, path, method, node)
        if key in after:
            pair.compare(after[key][0], after[key][2])
        else:
            pair.tell("", "it is there no more", "breaking", pair.pointer)
    for key, (path, method, node) in after.items():
        if key not in before:
            name = f"{method.upper()} {path} {node.get('operationId', '')}".rstrip()
            found.changes.append(Change(name, "", "it is new", "not breaking", "#/paths"))
    # A change of a schema is told once for each place of an operation that it shows in.
    found.changes = list(dict.fromkeys(found.changes))
    return found


def _key(path: str, method: str) -> tuple[str, str]:
    """What makes two operations one: names of parameters in the path are nobody's concern."""
    return re.sub(r"\{[^}]*\}", "{}", path.rstrip("/") or "/"), method


class _Operation:
    """One operation in both versions."""

    def __init__(self, old: Version, new: Version, found: Drift, path: str, method: str, node: Node) -> None:
        self._old, self._new, self._found = old, new, found
        self._path, self._node = path, node
        self._name = f"{method.upper()} {path} {node.get('operationId', '')}".rstrip()
        self.pointer = f"#/paths/{escaped(path)}/{method}"

    def tell(self, place: str, what: str, verdict: Verdict, pointer: str) -> None:
        self._found.changes.append(Change(self._name, place, what, verdict, pointer))

    def compare(self, path: str, after: Node) -> None:
        self._found.met.add(self.pointer)
        if self._node.get("operationId") != after.get("operationId"):
            what = f"its operationId is {after.get('operationId')} and not {self._node.get('operationId')}"
            self.tell("", what, "unclear", self.pointer)
        if bool(self._node.get("deprecated")) != bool(after.get("deprecated")):
            self.tell(
                "",
                "it is deprecated" if after.get("deprecated") else "it is deprecated no more",
                "not breaking",
                self.pointer,
            )
        self._security(after)
        self._parameters(path, after)
        self._body(after)
        self._responses(after)

    def _schemas(self, direction: Direction, *, refusal: bool = False) -> Schemas:
        return Schemas(self._old, self._new, direction, self.tell, refusal, self._found.met, self._found.alike)

    # Who may call

    def _security(self, after: Node) -> None:
        before, now = _wanted(self._old, self._node), _wanted(self._new, after)
        if before and not now:
            self.tell("security", "no credential is needed any more", "not breaking", self.pointer)
        elif now and not before:
            self.tell("security", "a credential is needed now", "breaking", self.pointer)
        else:
            self._schemes(before, now)
        # Scopes are an extension: a document without any of them says nothing about them.
        if "x-scope" in self._new.said:
            self._scope(self._node.get("x-scope", "none"), after.get("x-scope", "none"))
        roles, roles_now = self._node.get("x-roles"), after.get("x-roles")
        if roles_now != roles and "x-roles" in self._new.said:
            wider = roles_now is None or (roles is not None and set(roles) <= set(roles_now))
            said = "any member" if roles_now is None else ", ".join(roles_now)
            self.tell("roles", f"it takes {said} now", "not breaking" if wider else "breaking", self.pointer)

    def _schemes(self, before: list[Mapping[str, Any]], now: list[Mapping[str, Any]]) -> None:
        """Ways to be let in: each of the old ones must still do."""
        kinds, kinds_now = (
            [_ways(version, one) for one in wanted] for version, wanted in ((self._old, before), (self._new, now))
        )
        for way in kinds:
            if not any(set(other) <= set(way) for other in kinds_now):
                self.tell(
                    "security", f"{' and '.join(way) or 'nothing'} does not do any more", "breaking", self.pointer
                )
        for way in kinds_now:
            if way not in kinds and any(set(way) <= set(other) for other in kinds):
                self.tell("security", f"{' and '.join(way)} will do", "not breaking", self.pointer)
            elif way not in kinds and all(any(set(other) <= set(one) for other in kinds_now) for one in kinds):
                self.tell("security", f"{' and '.join(way)} will do as well", "not breaking", self.pointer)

    def _scope(self, before: str, now: str) -> None:
        if before == now:
            return
        verdict: Verdict = "not breaking" if now == "none" else "unclear" if "dynamic" in (before, now) else "breaking"
        if before == "full" and now != "dynamic":
            # Who has no scopes at all may do everything.
            verdict = "not breaking"
        self.tell("scope", f"it needs the scope {now} and not {before}", verdict, self.pointer)

    # What is sent

    def _parameters(self, path: str, after: Node) -> None:
        before, now = _named(self._old, self._node, self._path, self.pointer), _named(self._new, after, path)
        for key, (node, pointer) in before.items():
            location, name = key
            place = f"{location} {_plain_name(self._path, name) if location == 'path' else name}"
            if key not in now:
                self.tell(place, "is there no more", "breaking", pointer)
                continue
            self._found.met.add(pointer)
            other, _ = now[key]
            self._required(place, node, other, pointer)
            self._schemas("request").compare(
                node.get("schema", {}), other.get("schema", {}), place, f"{pointer}/schema"
            )
        for key, (node, _) in now.items():
            if key not in before:
                required = bool(node.get("required"))
                what = "is new and required" if required else "is new"
                verdict: Verdict = "breaking" if required else "not breaking"
                self.tell(f"{key[0]} {node['name']}", what, verdict, f"{self.pointer}/parameters")

    def _body(self, after: Node) -> None:
        place, pointer = "body", f"{self.pointer}/requestBody"
        before, pointer = self._old.followed(self._node.get("requestBody", {}), pointer)
        now, _ = self._new.followed(after.get("requestBody", {}), "")
        if not before and not now:
            return
        if not now:
            self.tell(place, "it takes no body any more", "breaking", pointer)
            return
        if not before:
            required = bool(now.get("required"))
            what = "it needs a body now" if required else "it takes a body now"
            self.tell(place, what, "breaking" if required else "not breaking", self.pointer)
            return
        self._required(place, before, now, pointer)
        self._content(before, now, place, pointer, self._schemas("request"))

    def _required(self, place: str, before: Node, now: Node, pointer: str) -> None:
        if bool(before.get("required")) and not now.get("required"):
            self.tell(place, "is optional now", "not breaking", pointer)
        elif bool(now.get("required")) and not before.get("required"):
            self.tell(place, "is required now", "breaking", pointer)

    # What is answered

    def _responses(self, after: Node) -> None:
        before, now = self._node.get("responses", {}), after.get("responses", {})
        before, now = ({str(status): node for status, node in one.items()} for one in (before, now))
        for status, node in before.items():
            response, pointer = self._old.followed(node, f"{self.pointer}/responses/{status}")
            if status not in now:
                gone: Verdict = "not breaking" if status[:1] in "45" else "breaking"
                self.tell(status, "it is answered no more", gone, pointer)
                continue
            self._found.met.add(pointer)
            other, _ = self._new.followed(now[status], "")
            self._headers(response, other, status, pointer)
            self._content(response, other, status, pointer, self._schemas("answer", refusal=status[:1] in "45"))
        for status in now:
            if status not in before:
                more: Verdict = "not breaking" if status[:1] in "45" else "unclear"
                self.tell(status, "it may be answered now", more, f"{self.pointer}/responses")

    def _headers(self, before: Node, now: Node, status: str, pointer: str) -> None:
        there, other = (
            {str(name).lower(): (name, node) for name, node in one.get("headers", {}).items()} for one in (before, now)
        )
        for key, (name, node) in there.items():
            place, at = f"{status} header {name}", f"{pointer}/headers/{escaped(name)}"
            header, at = self._old.followed(node, at)
            if key not in other:
                self.tell(place, "is there no more", "breaking" if header.get("required") else "unclear", at)
                continue
            header_now, _ = self._new.followed(other[key][1], "")
            if header.get("required") and not header_now.get("required"):
                self.tell(place, "is optional now", "breaking", at)
            elif header_now.get("required") and not header.get("required"):
                self.tell(place, "is always there now", "not breaking", at)
            self._schemas("answer").compare(
                header.get("schema", {}), header_now.get("schema", {}), place, f"{at}/schema"
            )
        for key, (name, _) in other.items():
            if key not in there:
                self.tell(f"{status} header {name}", "is new", "not breaking", pointer)

    def _content(self, before: Node, now: Node, place: str, pointer: str, schemas: Schemas) -> None:
        there, other = before.get("content", {}), now.get("content", {})
        sends = schemas.direction == "request"
        for media_type, media in there.items():
            if media_type not in other:
                what = f"{media_type} is not taken any more" if sends else f"{media_type} is not answered any more"
                self.tell(place, what, "breaking", pointer)
                continue
            at = f"{pointer}/content/{escaped(media_type)}/schema"
            if "schema" in media or "schema" in other[media_type]:
                schemas.compare(media.get("schema", {}), other[media_type].get("schema", {}), place, at)
        for media_type in other:
            if media_type not in there:
                what = f"{media_type} is taken as well" if sends else f"{media_type} may be answered"
                self.tell(place, what, "not breaking" if sends or there else "unclear", pointer)


def _named(version: Version, node: Node, path: str, pointer: str = "") -> dict[tuple[str, str], tuple[Node, str]]:
    """The parameters of an operation, and where each stands, by place and name; those of the path by their number."""
    found = {}
    for number, one in enumerate(node.get("parameters", [])):
        parameter, place = version.followed(one, f"{pointer}/parameters/{number}")
        found[_parameter_key(parameter, path)] = parameter, place
    return found


def _parameter_key(parameter: Node, path: str) -> tuple[str, str]:
    location, name = str(parameter.get("in")), str(parameter.get("name"))
    if location == "path":
        names = _names_in(path)
        return location, str(names.index(name)) if name in names else name
    return location, name.lower() if location == "header" else name


def _names_in(path: str) -> list[str]:
    return re.findall(r"\{([^}]*)\}", path)


def _plain_name(path: str, number: str) -> str:
    names = _names_in(path)
    return names[int(number)] if number.isdecimal() and int(number) < len(names) else number


def _wanted(version: Version, node: Node) -> list[Mapping[str, Any]]:
    """The credentials that an operation wants, one of them; none where it does without."""
    wanted = node["security"] if "security" in node else version.document.get("security", [])
    return [] if {} in wanted else list(wanted)


def _ways(version: Version, requirement: Mapping[str, Any]) -> list[str]:
    """What one requirement asks for, by what it is and not by its name."""
    schemes = version.document.get("components", {}).get("securitySchemes", {})
    found = []
    for name, scopes in requirement.items():
        scheme, _ = version.followed(schemes.get(name, {}), "")
        kind = " ".join(str(scheme[word]) for word in ("type", "scheme", "in", "name") if word in scheme) or name
        found += [kind, *(f"{kind} with {scope}" for scope in scopes or [])]
    return sorted(found)
