"""Addresses of this server as its caller sees them."""

from __future__ import annotations

from starlette.requests import Request

from chaser_emulator.settings import Settings


def base_url(request: Request, settings: Settings) -> str:
    """`http(s)://authority`, from the configured public URL, else from Host and X-Forwarded-Proto (S19)."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    scheme = forwarded if forwarded in ("http", "https") else request.url.scheme
    return f"{scheme}://{request.url.netloc}"
