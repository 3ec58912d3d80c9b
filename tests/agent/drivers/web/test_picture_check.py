"""Which pictures hold no video: real screens of a browser against photographs of many kinds."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter
from playwright.async_api import async_playwright

from agent.drivers.web import browser as browsers
from store.frames.frame_store import describe

STILLS = sorted((Path(__file__).parents[4] / "agent/playground/data/stills").glob("*.webp"))
BODY = "<style>body{margin:0;font:14px sans-serif;overflow:hidden;%s}</style>"
SPINNER = """<p style="position:absolute;left:45%%;top:45%%;width:50px;height:50px;margin:0;
  border:5px solid #555;border-top-color:#fff;border-radius:50%%"></p>"""
CAPTION = """<p style="position:absolute;bottom:20px;left:12px;color:#fff"><b>@someone</b><br>
  A caption of the video #tag<br>original sound</p>"""
SCREENS = {
    "black": BODY % "background:#000",
    "spinner": BODY % "background:#000" + SPINNER % (),
    "spinner and caption": BODY % "background:#161823" + SPINNER % () + CAPTION,
    "wash": BODY % "background:linear-gradient(#203040,#906050)" + SPINNER % (),
    "error": BODY % "background:#000;color:#fff;text-align:center"
    + "<p style='margin-top:240px'><b>Something went wrong</b><p>Try again<p><button>Refresh",
    "page": BODY % "background:#fff"
    + "".join(f"<p style='margin:14px'>&#9679; {name}" for name in ("For You", "Explore", "LIVE"))
    + "<hr><p>Log in to follow creators and like videos<p><button>Log in</button>",
    "consent": BODY
    % "background:#fff"
    + "<h2>Before you continue</h2><p>We use cookies and data to maintain services, track outages "
    "and protect against spam, fraud and abuse.<p><button>Reject all</button>",
    "skeleton": BODY
    % "background:#fff"
    + "<p style='margin:16px;height:300px;background:#eee'><p style='margin:16px;height:12px;"
    "background:#eee'>",
}


def jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def stills(darkened: float = 1.0) -> list[Image.Image]:
    pictures = [Image.open(path).convert("RGB") for path in STILLS[::3]]
    assert len(pictures) > 50
    small = [
        picture.resize((270, round(picture.height * 270 / picture.width))) for picture in pictures
    ]
    return [picture.point(lambda value: int(value * darkened)) for picture in small]


def poster(picture: Image.Image) -> Image.Image:
    """What stands behind a player that loads."""
    soft = picture.resize((270, 480)).filter(ImageFilter.GaussianBlur(27))
    ImageDraw.Draw(soft).arc((115, 220, 155, 260), 0, 270, "white", 4)
    return soft


def test_screens_without_a_video_are_blank() -> None:
    async def shots() -> dict[str, bytes]:
        async with async_playwright() as playwright:
            browser = await browsers.launch_browser(
                playwright, browsers.find_browser(), headed=False
            )
            page = await browser.new_page(viewport={"width": 360, "height": 640})
            taken = {}
            for name, html in SCREENS.items():
                await page.set_content(html)
                taken[name] = await page.screenshot(type="jpeg", quality=85)
            await browser.close()
            return taken

    told = {name: describe(shot).quality for name, shot in asyncio.run(shots()).items()}
    assert told == dict.fromkeys(SCREENS, "blank")


@pytest.mark.parametrize("light", [1.0, 0.3, 0.12, 0.05])
def test_a_photograph_is_ok_however_dark(light: float) -> None:
    assert {describe(jpeg(picture)).quality for picture in stills(light)} == {"ok"}


def test_a_blurred_poster_is_not_ok() -> None:
    told = [describe(jpeg(poster(picture))).quality for picture in stills()]
    assert told.count("ok") <= len(told) * 0.3


def test_a_soft_video_is_ok() -> None:
    soft = [picture.filter(ImageFilter.GaussianBlur(5)) for picture in stills()]
    assert {describe(jpeg(picture)).quality for picture in soft} == {"ok"}
