"""The file operations of `terminal`: one XML element each, read by a defused parser and held to a strict grammar."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from chaser_emulator.tools import shown

ACCEPTED = (
    '<read_file path="…" start_line="1" end_line="9"/>, <write_file path="…">text</write_file>, '
    '<apply_edit path="…"><search>…</search><replace>…</replace></apply_edit> '
    'and <list_files path="…" recursive="true"/>'
)

_ATTRIBUTES = {
    "read_file": ("path", "start_line", "end_line"),
    "write_file": ("path",),
    "apply_edit": ("path",),
    "list_files": ("path", "recursive"),
    "search": (),
    "replace": (),
}
_PARTS = ("search", "replace")
_WITH_TEXT = ("write_file", *_PARTS)

_CDATA, _CDATA_END = "<![CDATA[", "]]>"


class XmlError(ValueError):
    """A text that is none of the operations. The message is one sentence that says what is accepted."""


@dataclass(frozen=True)
class ReadFile:
    """Lines from `start_line` to `end_line`, both counted from 1 and included; None is the file's own first or last."""

    path: str
    start_line: int | None = None
    end_line: int | None = None


@dataclass(frozen=True)
class WriteFile:
    path: str
    text: str


@dataclass(frozen=True)
class ApplyEdit:
    """`search` occurs exactly once, and is to be `replace`."""

    path: str
    search: str
    replace: str


@dataclass(frozen=True)
class ListFiles:
    path: str
    recursive: bool = False


FileOperation = ReadFile | WriteFile | ApplyEdit | ListFiles


def parse(text: str) -> FileOperation:
    """The operation that a text is. Raises XmlError."""
    reader = _Reader()
    parser = DefusedXMLParser(
        target=reader, encoding="utf-8", forbid_dtd=True, forbid_entities=True, forbid_external=True
    )
    try:
        parser.feed(_with_carriage_returns(text.strip()).encode())
        parser.close()
    except DefusedXmlException:
        raise XmlError("has a document type or an entity of its own, and neither is accepted") from None
    except ParseError as error:
        line, column = error.position
        reason = str(error).partition(":")[0]
        raise XmlError(
            f"is no well-formed XML (line {line}, column {column + 1}: {reason}); in text, & and < are written as "
            "&amp; and &lt;, or the text stands in <![CDATA[…]]>"
        ) from None
    if reader.root is None:
        raise XmlError(f"holds no element; accepted are {ACCEPTED}")
    return _operation(reader.root)


@dataclass
class _Element:
    name: str
    attributes: dict[str, str]
    text: list[str] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)


class _Reader:
    """Takes what the parser finds, and refuses at once what the grammar has no place for."""

    def __init__(self) -> None:
        self.root: _Element | None = None
        self._open: list[_Element] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open:
            if name not in _ATTRIBUTES or name in _PARTS:
                raise XmlError(f"<{shown(name)}> is no operation; accepted are {ACCEPTED}")
        elif self._open[-1].name != "apply_edit" or name not in _PARTS:
            self._refuse_markup(f"<{shown(name)}>")
        elif name in self._open[-1].parts:
            raise XmlError(f"<apply_edit> has one <{name}>, not two")
        if unknown := [key for key in attributes if key not in _ATTRIBUTES[name]]:
            accepted = ", ".join(_ATTRIBUTES[name]) or "none"
            raise XmlError(f"<{name}> has no attribute {shown(unknown[0])}; accepted are {accepted}")
        element = _Element(name, attributes)
        if not self._open:
            self.root = element
        self._open.append(element)

    def data(self, text: str) -> None:
        element = self._open[-1]
        if element.name in _WITH_TEXT:
            element.text.append(text)
        elif text.strip():
            holds = "only <search> and <replace>" if element.name == "apply_edit" else "nothing"
            raise XmlError(f"<{element.name}> holds {holds}, and no text")

    def end(self, _name: str) -> None:
        element = self._open.pop()
        if self._open:
            self._open[-1].parts[element.name] = "".join(element.text)

    def comment(self, _text: str) -> None:
        if self._open:
            self._refuse_markup("<!-- -->")

    def pi(self, target: str, _data: str | None = None) -> None:
        raise XmlError(f"<?{shown(target)}?> is a processing instruction, which is not accepted")

    def close(self) -> None:
        pass

    def _refuse_markup(self, found: str) -> NoReturn:
        name = self._open[-1].name
        if name in _WITH_TEXT:
            raise XmlError(
                f"<{name}> holds text alone, and {found} is none: write < as &lt;, or the text in <![CDATA[…]]>"
            )
        holds = "one <search> and one <replace>" if name == "apply_edit" else "nothing"
        raise XmlError(f"<{name}> holds {holds}, and no {found}")


def _operation(element: _Element) -> FileOperation:
    path = element.attributes.get("path")
    if path is None:
        raise XmlError(f"<{element.name}> needs the attribute path")
    if not path:
        raise XmlError(
            f"path of <{element.name}> is empty; a path in the sandbox is accepted, such as /workspace/a.txt"
        )
    match element.name:
        case "read_file":
            start, end = _line(element, "start_line"), _line(element, "end_line")
            if start is not None and end is not None and end < start:
                raise XmlError(f"end_line {end} is before start_line {start}")
            return ReadFile(path, start, end)
        case "write_file":
            return WriteFile(path, "".join(element.text))
        case "apply_edit":
            for name in _PARTS:
                if name not in element.parts:
                    raise XmlError(f"<apply_edit> needs a <{name}>")
            if not element.parts["search"]:
                raise XmlError("<search> is empty; the text to replace is accepted")
            return ApplyEdit(path, element.parts["search"], element.parts["replace"])
        case _:
            recursive = element.attributes.get("recursive", "false")
            if recursive not in ("true", "false"):
                raise XmlError(f'recursive is "{shown(recursive)}"; true and false are accepted')
            return ListFiles(path, recursive == "true")


def _line(element: _Element, name: str) -> int | None:
    text = element.attributes.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15 and int(text) >= 1):
        raise XmlError(f'{name} is "{shown(text)}"; a line from 1 on is accepted')
    return int(text)


def _with_carriage_returns(text: str) -> str:
    """The same XML with each CR of a text as a reference: a parser would drop them, and a file has them on purpose."""
    if "\r" not in text:
        return text
    pieces: list[str] = []
    inside, at = False, 0
    while at < len(text):
        if text.startswith(_CDATA, at):
            end = _after(text, _CDATA_END, at)
            pieces.append(text[at:end].replace("\r", f"{_CDATA_END}&#13;{_CDATA}"))
        elif text[at] == "<":
            end = _after(text, ">", at)
            pieces.append(text[at:end])
            inside = inside or not text.startswith("<?", at)
        else:
            end = text.find("<", at)
            end = len(text) if end < 0 else end
            pieces.append(text[at:end].replace("\r", "&#13;") if inside else text[at:end])
        at = end
    return "".join(pieces)


def _after(text: str, mark: str, at: int) -> int:
    found = text.find(mark, at)
    return len(text) if found < 0 else found + len(mark)
