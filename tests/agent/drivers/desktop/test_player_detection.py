"""The player is found in pictures of a screen by what moves in it, whatever else is there."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.drivers.desktop.player_detection import Region, find_motion, find_player, measure_change

Grey = NDArray[np.uint8]
SHOTS = 8


class Desktop:
    """A made-up screen: a browser with a toolbar and a side panel, and a player on its page."""

    def __init__(self, width: int, height: int, player: Region, seed: int) -> None:
        self.player = player
        self.rng = np.random.default_rng(seed)
        down, across = np.mgrid[0:height, 0:width]
        self.page = (18 + down * 8 / height + across * 4 / width).astype(np.uint8)
        self.page[:40] = 225  # toolbar
        self.page[:, :160] = 40  # side panel
        self.page[60 : height - 60 : 30, 20:140] = 150  # its lines of text
        waves = np.sin(down / 47 + seed) + np.cos(across / 31) + np.sin((down + across) / 19)
        self.video = (128 + 30 * waves).astype(np.uint8)  # bright, without straight lines

    def shots(self, core: Region, bar: bool = True) -> list[Grey]:
        """Pictures in which ``core`` moves: part of the player, in coordinates of the screen."""
        return [self._shot(core, part / SHOTS if bar else None) for part in range(SHOTS)]

    def _shot(self, core: Region, played: float | None) -> Grey:
        picture: Grey = self.page.copy()
        player = self.player
        player.cut(picture)[:] = player.cut(self.video)
        for _ in range(60):  # spots that jump about
            x = self.rng.integers(core.left, core.right - 30)
            y = self.rng.integers(core.top, core.bottom - 30)
            picture[y : y + 30, x : x + 30] = self.rng.integers(0, 255)
        if played is not None:
            bottom = slice(player.bottom - 3, player.bottom)
            picture[bottom, player.left : player.right] = 90
            picture[bottom, player.left : player.left + round(played * player.width)] = 250
        return picture


def inner(player: Region, left: float, top: float, right: float, bottom: float) -> Region:
    """A part of the player, in shares of its width and height."""
    return Region(
        round(player.left + left * player.width),
        round(player.top + top * player.height),
        round(player.left + right * player.width),
        round(player.top + bottom * player.height),
    )


def near(found: Region | None, player: Region, pixels: int = 3) -> bool:
    if found is None:
        return False
    gaps = (
        found.left - player.left,
        found.top - player.top,
        found.right - player.right,
        found.bottom - player.bottom,
    )
    return max(map(abs, gaps)) <= pixels


PLAYERS = [
    (1280, 800, Region(460, 123, 820, 763)),
    (1920, 1080, Region(900, 90, 1440, 1050)),
    (1024, 768, Region(610, 60, 890, 558)),
]


@pytest.mark.parametrize(("width", "height", "player"), PLAYERS)
@pytest.mark.parametrize("bar", [True, False])
@pytest.mark.parametrize(
    "part",
    [(0, 0, 1, 1), (0, 0.1, 1, 0.8), (0.1, 0.3, 0.9, 0.7), (0, 0.45, 0.8, 1)],
    ids=["all of it", "not its ends", "its middle", "its lower left"],
)
def test_a_player_is_found_by_the_part_of_it_that_moves(
    width: int, height: int, player: Region, bar: bool, part: tuple[float, float, float, float]
) -> None:
    desktop = Desktop(width, height, player, seed=1)
    assert near(find_player(desktop.shots(inner(player, *part), bar)), player)


@pytest.mark.parametrize("hidden", ["top", "bottom"])
def test_a_line_near_a_dark_edge_is_not_taken_for_it(hidden: str) -> None:
    """As a toolbar's shadow above the page, or the words of a caption at the foot of a video."""
    width, height, player = PLAYERS[0]
    desktop = Desktop(width, height, player, seed=3)
    page, video = desktop.page, desktop.video
    if hidden == "top":
        edge = slice(player.top, player.top + 20)
        video[edge, : player.right - 120] = page[edge, : player.right - 120]  # a third shows
        page[player.top - 10] = 60
    else:
        words = slice(player.bottom - 71, player.bottom - 63)
        video[player.bottom - 90 : player.bottom - 10] = page[
            player.bottom - 90 : player.bottom - 10
        ]
        video[words, player.left + 20 : player.right - 20] = 220
    core = inner(player, 0, 0.3, 1, 0.85)
    assert near(find_player(desktop.shots(core, bar=hidden == "bottom")), player)


def test_a_wide_player_is_found_by_its_edges() -> None:
    player = Region(300, 200, 1100, 650)
    desktop = Desktop(1280, 800, player, seed=2)
    assert near(find_player(desktop.shots(inner(player, 0.1, 0.1, 0.9, 0.9), bar=False)), player)


def test_the_largest_of_two_moving_things_is_taken() -> None:
    player = Region(460, 123, 820, 763)
    desktop = Desktop(1280, 800, player, seed=3)
    shots = desktop.shots(player)
    for number, shot in enumerate(shots):
        shot[500:620, 980:1180] = 40 * (number % 2)  # a blinking advertisement
    assert near(find_player(shots), player)


def test_what_is_still_or_small_is_no_player() -> None:
    player = Region(460, 123, 820, 763)
    desktop = Desktop(1280, 800, player, seed=4)
    assert find_player(desktop.shots(player, bar=False)[:1] * SHOTS) is None
    cursor = desktop.shots(player, bar=False)[:1] * SHOTS
    blinking = [shot.copy() for shot in cursor]
    for number, shot in enumerate(blinking):
        shot[300:330, 700:760] = 255 * (number % 2)
    assert find_player(blinking) is None
    assert find_motion(blinking) is None


@pytest.mark.parametrize(("side", "moves"), [(64, False), (72, True)])
def test_a_two_hundredth_of_the_screen_has_to_move(side: int, moves: bool) -> None:
    """Of 1280 x 800 that is 5,120 pixels: 64 x 72 are 4,608 and 72 x 72 are 5,184."""
    shots = [np.full((800, 1280), 100, dtype=np.uint8) for _ in range(SHOTS)]
    for number, shot in enumerate(shots):
        shot[400 : 400 + 72, 640 : 640 + side] = 255 * (number % 2)
    expected = Region(640, 400, 640 + side, 472) if moves else None
    assert find_motion(shots) == expected


def test_regions_know_how_they_lie_to_each_other() -> None:
    region = Region(100, 100, 300, 500)
    assert region.overlap(region) == 1
    assert region.overlap(Region(300, 100, 500, 500)) == 0
    assert region.overlap(Region(200, 100, 400, 500)) == pytest.approx(1 / 3)
    assert not region.cuts(Region(104, 96, 300, 505))
    assert region.cuts(Region(200, 100, 400, 500))
    assert not region.cuts(Region(400, 100, 600, 500))
    for beside in (Region(300, 100, 500, 500), Region(100, 500, 300, 900)):
        assert not region.meets(beside)
        assert not beside.meets(region)
        assert region.meets(beside.moved(-1, -1))
    picture = np.zeros((600, 310), dtype=np.uint8)
    assert region.fits(picture)
    assert not Region(100, 100, 320, 500).fits(picture)
    assert not Region(100, 100, 120, 500).fits(picture)


def test_only_what_differs_by_more_than_noise_has_changed() -> None:
    before = np.full((10, 10), 100, dtype=np.uint8)
    after = before.copy()
    after[:5] += 8
    assert measure_change(before, after) == 0
    after[:5] = 60
    assert measure_change(before, after) == 0.5
    assert measure_change(before[:0], after[:0]) == 0
