"""``python -m agent login``: sign an account in by hand, once."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import browser_option, data_option, json_option
from store.terminal.printing import echo

if TYPE_CHECKING:
    from agent.platforms.base import SiteSession
    from agent.run.browser_profiles import BrowserProfile

EPILOG = """
\b
Examples:
  python -m agent login tiktok --account p12-treatment-1
  python -m agent login tiktok --account p12-treatment-1 --check
  python -m agent login tiktok --account p12-treatment-1 --dump p12.tar.gz
"""


@click.command(epilog=EPILOG)
@click.argument("platform")
@click.option("--account", required=True, help="Slot with its own browser profile.")
@click.option("--check", "only_check", is_flag=True, help="Only say whether it is signed in.")
@click.option("--dump", type=click.Path(path_type=Path), help="Write the profile to a file.")
@click.option("--restore", type=click.Path(path_type=Path), help="Read it from such a file.")
@click.option("--url", hidden=True, help="Another address to sign in at.")
@browser_option
@data_option
@json_option
def login(platform: str, account: str, **options: Any) -> None:
    """Open a window on an account's profile, and keep the session that you sign in to.

    Nothing is typed for you and nothing that you type is read. The profile is as good as a
    password: keep it, and its dumps, to yourself.
    """
    from agent.errors import BadConfig, NotSignedIn
    from agent.platforms import load_platform
    from agent.run.browser_profiles import BrowserProfile
    from store.runs.data_folder import DataFolder

    session = load_platform(platform).session
    if session is None:
        raise BadConfig(f"{platform} knows no accounts. Type: python -m agent login tiktok ...")
    data = DataFolder(options["data"])
    data.prepare()
    with BrowserProfile(data, platform, account) as profile:
        if options["dump"] is not None:
            profile.dump(options["dump"])
            echo("Whoever has this file is signed in as you: keep it to yourself.", err=True)
            return
        if options["restore"] is not None:
            profile.restore(options["restore"])
        until = asyncio.run(_until(profile, session, options))
    if options["as_json"]:
        echo(json.dumps({"signed_in_until": until.isoformat() if until else None}))
    if until is None:
        raise NotSignedIn(platform, account)
    if not options["as_json"]:
        echo(f"{account} is signed in to {platform} until {until:%Y-%m-%d}.")


async def _until(
    profile: BrowserProfile, session: SiteSession, options: dict[str, Any]
) -> datetime | None:
    from agent.drivers.web import sign_in
    from agent.drivers.web.browser import find_browser

    found = find_browser(options["browser"])
    if options["only_check"] or options["restore"] is not None:
        return await sign_in.check_session(found, profile.path, session.cookies)
    echo("Sign in in the window that opens; it closes by itself.", err=True)
    address = options["url"] or session.login_url
    return await sign_in.sign_in(found, profile.path, address, session.cookies)
