"""The pictures of a photo post, read from what the page holds: nothing is pressed or fetched."""

from __future__ import annotations

import base64
import io

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

from store.untrusted.size_limits import ForeignFault, decode_picture

QUALITY = 85


async def read_picture(devtools: CDPSession, url: str) -> bytes | None:
    """Return what an image of the page was made of; ``None`` where the page no longer has it."""
    try:
        tree = await devtools.send("Page.getFrameTree")
        frame = tree["frameTree"]["frame"]["id"]
        kept = await devtools.send("Page.getResourceContent", {"frameId": frame, "url": url})
    except PlaywrightError:  # it was let go, or never was a file of its own
        return None
    return base64.b64decode(kept["content"]) if kept["base64Encoded"] else None


def as_frame(picture: bytes, viewport: tuple[int, int]) -> bytes | None:
    """Return a picture as JPEG, made to fit the page; ``None`` where it cannot be read."""
    try:
        image = decode_picture(picture)
    except ForeignFault:
        return None
    image.thumbnail(viewport)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
