"""A site on this machine: the playground, served by hand and watched as a live site."""

import os
from dataclasses import replace

from agent.platforms.playground import PLATFORM

ADDRESS = os.environ.get("LOOPBACK_URL", "http://127.0.0.1:8765/")
LOOPBACK = replace(PLATFORM, name="loopback", live=True, own_site=False, url=ADDRESS)
