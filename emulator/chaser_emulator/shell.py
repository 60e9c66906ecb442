"""A request as a line of curl, in which a shell reads the names of variables and nothing else."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

_READ_BY_SHELLS = set('$`\\"!')
_READ_BY_CURL = set("[]{}")
_BLANKS = {"\n", "\t"}
_GOES_ON = re.compile(r"\w")
"""What would belong to the name before it."""


@dataclass(frozen=True)
class File:
    """Bytes that a line does not hold, in a file of this name."""

    name: str


Body = bytes | str | File | Mapping[str, str | File] | None
"""What is sent: bytes, a text, a file, the parts of a form by their names, or nothing."""


def word(text: str, names: Collection[str] = ()) -> str:
    """A word in which these names, such as `$CHASER_API_KEY`, are read, and nothing else is."""
    known = [name for name in names if name in text]
    if not known:
        return shlex.quote(text)
    # The longest first: one may begin like another.
    parts = re.split("(" + "|".join(map(re.escape, sorted(known, key=len, reverse=True))) + ")", text)
    plain = parts[::2]
    if not any(set(part) & _READ_BY_SHELLS for part in plain) and not any(map(_GOES_ON.match, plain[1:])):
        return f'"{text}"'
    quoted = [shlex.quote(part) if part else "" for part in plain]
    read = [f'"{name}"' for name in parts[1::2]]
    return "".join(part + name for part, name in zip(quoted, [*read, ""], strict=True))


def curl(
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]] = (),
    body: Body = None,
    *,
    names: Collection[str] = (),
    body_names: Collection[str] | None = None,
    options: Iterable[str] = (),
) -> str:
    """The line that sends a request. A shell reads `names` wherever they stand, and `body_names` in the body."""
    within = names if body_names is None else body_names
    words = ["curl", *options]
    if method == "HEAD":
        words.append("--head")
    elif method != "GET" or body is not None:
        words += ["-X", method]
    if set(url) & _READ_BY_CURL:
        words.append("--globoff")
    if "/." in url:
        words.append("--path-as-is")
    words.append(word(url, names))
    sent = list(headers)
    for name, value in sent:
        # Without a value, curl would leave the header out.
        words += ["-H", word(f"{name}: {value}" if value else f"{name};", names)]
    if body is None:
        return " ".join(words)
    if isinstance(body, Mapping):
        return " ".join([*words, *_form(body, within)])
    if not any(name.lower() == "content-type" for name, _value in sent):
        # It would name one by itself.
        words += ["-H", "Content-Type:"]
    if isinstance(body, File):
        return " ".join([*words, "--data-binary", word(f"@{body.name}")])
    text = body if isinstance(body, str) else _text(body)
    if text is not None:
        return " ".join([*words, "--data-raw" if text.startswith("@") else "-d", word(text, within)])
    assert isinstance(body, bytes)  # noqa: S101 - texts were seen to
    escaped = "".join(f"\\{byte:03o}" for byte in body)
    return " ".join(["printf", f"'{escaped}'", "|", *words, "--data-binary", "@-"])


def _form(parts: Mapping[str, str | File], names: Collection[str]) -> list[str]:
    words: list[str] = []
    for name, value in parts.items():
        if isinstance(value, File):
            words += ["-F", word(f"{name}=@{value.name}")]
        else:
            # What begins with @ or < is a file to -F.
            plain = value[:1] not in ("@", "<") and ";" not in value
            words += ["-F" if plain else "--form-string", word(f"{name}={value}", names)]
    return words


def _text(body: bytes) -> str | None:
    """A body as a text that can be pasted, or None."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return text if all(one.isprintable() or one in _BLANKS for one in text) else None
