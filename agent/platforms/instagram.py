"""Instagram Reels.

The address names the reel and may lag behind its video; classes and shapes of the page change too
often to rely on. The feed is known by the root field of its responses: ads and reels that are
fetched ahead under other names are not taken for it.
"""

from __future__ import annotations

from typing import Any

from agent.drivers.base import Answer, Hooks, Wall, WallKind
from agent.platforms import items
from agent.platforms.base import Platform, Session, refused
from store.records import Video

ROOT = "xdt_api__v1__clips__home__connection_v2"
CODE = r"[\w-]{5,40}"
DIALOG = "[role=dialog] *, [role=alert], [role=alert] *"
HEADING = "h1, h2, h3, [role=heading]"
DECLINE = ("button, [role=button]", r"^\s*decline optional cookies\s*$")
WALLS = (
    Wall("consent", texts=(DECLINE,), decline=(DECLINE,)),
    Wall(
        "challenge",
        urls=(r"^https?://[^/?#]+/(?:challenge|accounts/suspended|accounts/scraping_warning)\b",),
        texts=((HEADING, r"we suspect automated behaviou?r"),),
    ),
    Wall(
        "login",
        urls=(r"^https?://[^/?#]+/accounts/login\b", r"^https?://[^/?#]+/?(?:[?#]|$)"),
        selectors=(
            'input[name="username"]', 'input[name="password"]',
            'form:has(input[name="pass"]) input[name="email"]',
        ),
    ),
    Wall("age", texts=((f"{HEADING}, {DIALOG}", r"^\s*restricted video\s*$"),)),
    Wall(
        "rate_limit",
        texts=((f"{HEADING}, {DIALOG}", r"^\s*(?:try again later|we restrict certain activity)"),),
    ),
    Wall(
        "error",
        texts=((HEADING, r"^\s*(?:profile isn['’]t available|sorry, something went wrong)"),),
    ),
)  # fmt: skip

HOOKS = Hooks(
    item=(
        'div:has(svg[role="img"]:is([aria-label="Like"], [aria-label="Unlike"])):has(a[href])',
        'div:has(svg[role="img"]):has(a[href])',
    ),
    url_id=rf"/(?:reels?|p)/({CODE})/?(?:[?#]|$)",
    next_buttons=(
        '[role="toolbar"][aria-label="Reels navigation controls"] '
        '[aria-label="Navigate to next Reel" i]',
        '[role="toolbar"] > :last-child:is(button, [role="button"])',
        '[role="toolbar"] > :last-child :is(button, [role="button"])',
    ),
    like_buttons=('svg[role="img"][aria-label="Like"]',),
    liked=('svg[role="img"][aria-label="Unlike"]',),
    walls=WALLS,
    inline=('script[type="application/json"]',),
)


def parse(url: str, body: Any) -> list[Video]:
    """Read the reels under the feed's root field."""
    source = items.source_of(url)
    return [
        _video(media, source)
        for root in items.under(body, ROOT)
        for media in items.walk(root, _is_media)
    ]


def _is_media(node: dict[str, Any]) -> bool:
    return _code(node) is not None and ("pk" in node or "id" in node)


def _code(media: dict[str, Any]) -> str | None:
    return items.matching(media.get("code"), CODE)


def _video(media: dict[str, Any], source: str) -> Video:
    code = _code(media) or ""
    caption = "" if media.get("caption", 0) is None else items.at(media, "caption", "text")
    caption = items.text(caption)
    hidden = media.get("like_and_view_counts_disabled") is True
    views = [items.count(media.get(name)) for name in ("play_count", "view_count")]
    return items.video(
        code, source,
        url=f"https://www.instagram.com/reel/{code}/",
        author=items.name(items.at(media, "user", "username")),
        caption=caption,
        hashtags=items.hashtags(caption),
        likes=None if hidden else items.count(media.get("like_count")),
        comments=items.count(media.get("comment_count")),
        views=None if hidden else next((n for n in views if n is not None), None),
        duration_s=items.seconds(media.get("video_duration")),
        ad=_is_ad(media),
    )  # fmt: skip


def _is_ad(media: dict[str, Any]) -> bool | None:
    link = items.name(media.get("link")) or ""
    if media.get("product_type") == "ad" or media.get("ad_action") is not None:
        return True
    if link.startswith("https://www.facebook.com/ads/"):
        return True
    return False if isinstance(media.get("product_type"), str) else None


def blocked(answer: Answer) -> WallKind | None:
    """Read a response without reels: a 401 asks to wait, whatever else it asks for."""
    return "rate_limit" if answer.status == 401 else refused(answer)


PLATFORM = Platform(
    "instagram",
    HOOKS,
    ("/graphql/query", "/api/graphql"),
    parse,
    url="https://www.instagram.com/reels/",
    refused=blocked,
    session=Session("https://www.instagram.com/accounts/login/", ("sessionid",), needed=True),
    hosts=("instagram.com",),
)
