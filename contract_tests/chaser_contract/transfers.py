"""Files on their way into a sandbox and out of it, as a client of any making sends and fetches them."""

from __future__ import annotations

from typing import Any

from chaser_contract.client import Answer, Client


def put(client: Client, session_id: str, path: str | None, data: bytes | None, **more: Any) -> Answer:
    """The answer to an upload; None leaves a part out."""
    boundary = b"=_contract"
    while data is not None and boundary in data:
        boundary += b"_"
    parts = []
    if path is not None:
        parts.append(b'Content-Disposition: form-data; name="path"\r\n\r\n' + path.encode())
    if data is not None:
        head = b'Content-Disposition: form-data; name="file"; filename="upload.bin"\r\n'
        parts.append(head + b"Content-Type: application/octet-stream\r\n\r\n" + data)
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--%b--\r\n" % boundary
    media_type = f"multipart/form-data; boundary={boundary.decode()}"
    return client.ask("upload-session-file", id=session_id, content=body, media_type=media_type, **more)


def got(client: Client, session_id: str, path: str) -> Answer:
    """The answer to a download."""
    return client.ask("download-session-file", id=session_id, query={"path": path})
