"""Every encoder keeps the same promises; ConSE finds what is shown, and its recipe is kept."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from store.encoders import Encoder, check, load, unit
from store.encoders.imagenet_labels import (
    PLACES,
    ConseEncoder,
    MiniLM,
    definitions,
    names,
    place_labels,
)
from store.encoders.registry import find_checkpoint
from store.errors import EncoderUnavailable, UnknownEncoder
from tests.store.tiny_clip import save_tiny_clip


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a tiny random model, saved as a checkpoint, its architecture known as `tiny`."""
    return save_tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module", params=["conse", "open_clip"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    if request.param == "conse":
        return load("conse", "cpu")
    return load(f"open_clip:tiny/{request.getfixturevalue('tiny_clip')}", "cpu")


def picture(colour: str, size: tuple[int, int] = (360, 640)) -> Image.Image:
    image = Image.new("RGB", size, colour)
    ImageDraw.Draw(image).ellipse([size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2], "white")
    return image


# The contract


def test_vectors_have_unit_length_and_the_promised_shape(encoder: Encoder) -> None:
    images = encoder.images([picture("red"), picture("blue", (640, 360)), picture("green", (9, 7))])
    texts = encoder.texts(["a red car", "", "very long " * 400])

    for vectors in (images, texts):
        assert vectors.shape == (3, encoder.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)


def test_nothing_gives_no_vectors(encoder: Encoder) -> None:
    assert encoder.images([]).shape == (0, encoder.dim)
    assert encoder.texts([]).shape == (0, encoder.dim)


def test_a_batch_gives_what_single_calls_give(encoder: Encoder) -> None:
    colours = ["red", "blue", "green", "black", "orange", "pink"]
    batch = encoder.images([picture(colour) for colour in colours])
    single = np.concatenate([encoder.images([picture(colour)]) for colour in colours])
    np.testing.assert_allclose(batch, single, atol=1e-4)

    texts = ["a dog", "three people dance in an empty square at night", "snow"]
    together = encoder.texts(texts)
    apart = np.concatenate([encoder.texts([text]) for text in texts])
    np.testing.assert_allclose(together, apart, atol=1e-4)


def test_images_with_and_without_transparency_are_taken(encoder: Encoder) -> None:
    image = picture("red")
    modes = [image.convert(mode) for mode in ("RGBA", "L", "P")]
    assert encoder.images(modes).shape == (3, encoder.dim)


def test_its_id_loads_it_again(encoder: Encoder) -> None:
    again = load(encoder.id, "cpu")
    assert again.id == encoder.id
    np.testing.assert_array_equal(again.texts(["a dog"]), encoder.texts(["a dog"]))


# ConSE


def test_a_drawing_is_found_by_its_words() -> None:
    conse = ConseEncoder.load("cpu")
    ball = Image.new("RGB", (400, 400), "#7a9bd4")  # a sky
    draw = ImageDraw.Draw(ball)
    draw.ellipse([110, 60, 290, 260], "#d33")
    draw.polygon([(170, 245), (230, 245), (200, 300)], "#d33")
    draw.rectangle([185, 310, 215, 335], "#7a4a20")
    seen = conse.labels[int(conse.classify([ball]).argmax())]
    assert "balloon" in seen

    texts = conse.texts(["hot air balloons in the sky", "a plate of spaghetti", "a barking dog"])
    assert int((texts @ conse.images([ball])[0]).argmax()) == 0


def test_probabilities_are_probabilities() -> None:
    seen = ConseEncoder.load("cpu").classify([picture("red"), picture("blue")])
    assert seen.shape == (2, 1000)
    np.testing.assert_allclose(seen.sum(axis=1), 1.0, atol=1e-4)


def test_a_text_near_another_in_meaning_is_near_in_space() -> None:
    dog, puppy, tax = ConseEncoder.load("cpu").texts(
        ["my dog is asleep", "a sleeping puppy", "how to file a tax return"]
    )
    assert dog @ puppy > dog @ tax + 0.3


def test_the_shipped_label_vectors_are_what_the_recipe_makes() -> None:
    every = slice(None, None, 40)
    fresh = place_labels(MiniLM.load("cpu"), names()[every], definitions()[every])
    kept = unit(np.load(PLACES)[every].astype(np.float32))
    assert (fresh * kept).sum(axis=1).min() > 0.999


def test_labels_stand_in_the_order_of_the_network() -> None:
    assert len(names()) == len(definitions()) == 1000
    assert names()[402] == "acoustic guitar"
    assert definitions()[402] == "sound is not amplified by electrical means"


# Names and loading


@pytest.mark.parametrize(
    "name", ["", "clip", "conse-0", "open_clip:", "open_clip:ViT-B-32", "open_clip:nix/openai"]
)
def test_an_unknown_encoder_says_what_to_type(name: str) -> None:
    with pytest.raises(UnknownEncoder, match=r"Type: --encoder conse"):
        load(name)


@pytest.mark.parametrize("name", ["", "clip", "consent", "open_clip:", "open_clip:ViT-B-32"])
def test_a_name_is_checked_without_loading(name: str) -> None:
    with pytest.raises(UnknownEncoder):
        check(name)


def test_names_that_may_exist_pass_the_check() -> None:
    for name in ("conse", "conse-1", "open_clip:ViT-B-32/openai", "open_clip:tiny//a/b.pt@0123"):
        check(name)


def test_unknown_weights_offer_the_nearest() -> None:
    with pytest.raises(EncoderUnavailable, match=r"Type: --encoder open_clip:ViT-B-32/openai"):
        load("open_clip:ViT-B-32/openia")


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match=r"there is no file .*nowhere\.pt.*Type: "):
        load(f"open_clip:ViT-B-32/{tmp_path}/nowhere.pt")


def test_a_checkpoint_of_another_model_is_refused(tiny_clip: Path) -> None:
    with pytest.raises(EncoderUnavailable, match=r"cannot be loaded.*type: --encoder open_clip:"):
        load(f"open_clip:ViT-S-32-alt/{tiny_clip}", "cpu")


def test_a_changed_checkpoint_is_another_encoder(tiny_clip: Path, tmp_path: Path) -> None:
    from store.encoders._torch import load_torch

    torch = load_torch()
    weights = torch.load(tiny_clip, weights_only=True)
    copy = tmp_path / "copy.pt"
    torch.save(weights, copy)
    before = load(f"open_clip:tiny/{copy}", "cpu").id
    weights["logit_scale"] = weights["logit_scale"] + 1
    torch.save(weights, copy)

    load.cache_clear()
    assert load(f"open_clip:tiny/{copy}", "cpu").id != before
    with pytest.raises(EncoderUnavailable, match="has changed"):
        load(before, "cpu")


@pytest.mark.parametrize(
    ("ends", "device", "half"),
    [
        ("openai", "cpu", False),
        ("openai", "mps", False),
        ("openai", "cuda", True),
        ("openai", "cuda:1", True),
        ("openai+fp16", "cpu", True),
        ("openai+fp32", "cuda", False),
        ("openai+7a2b8666", "cuda", False),  # an id of an index made in full precision
        ("openai+7a2b8666+fp16", "cpu", True),
        ("openai+7a2b8666+fp16", "cuda", True),
    ],
)
def test_a_name_is_in_half_precision_on_a_gpu_and_an_id_is_what_it_says(
    ends: str, device: str, half: bool
) -> None:
    from store.encoders._torch import load_torch

    load_torch()
    import open_clip

    from store.encoders.openclip import _source

    source = _source(f"open_clip:ViT-B-32/{ends}", open_clip, device)
    assert source.half == half
    assert source.id == "open_clip:ViT-B-32/openai+7a2b8666" + ("+fp16" if half else "")


def test_half_precision_has_an_id_of_its_own_and_vectors_close_by(tiny_clip: Path) -> None:
    full = load(f"open_clip:tiny/{tiny_clip}", "cpu")
    half = load(f"open_clip:tiny/{tiny_clip}+fp16", "cpu")
    assert half.id == f"{full.id}+fp16"
    assert load(half.id, "cpu").id == half.id
    assert find_checkpoint(half.id) == tiny_clip
    pictures = [picture(colour) for colour in ("red", "blue", "green")]
    for one, other in (
        (full.images(pictures), half.images(pictures)),
        (full.texts(["a dog", "snow"]), half.texts(["a dog", "snow"])),
    ):
        assert other.dtype == np.float32
        assert (one != other).any()
        assert (one * other).sum(axis=1).min() > 0.999


HALVES: dict[str, object] = {
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "resize_mode": "squash",
}


def _with_tags(monkeypatch: pytest.MonkeyPatch, **tags: dict[str, object]) -> None:
    """Let open_clip know weights of the tiny model, as it knows others'."""
    from open_clip import pretrained

    monkeypatch.setitem(pretrained._PRETRAINED, "tiny", tags)
    load.cache_clear()


def test_a_path_is_prepared_for_as_its_tag_says(
    tiny_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_tags(monkeypatch, one=HALVES | {"quick_gelu": True}, two={})
    like_one = load(f"open_clip:tiny/one={tiny_clip}", "cpu")
    like_two = load(f"open_clip:tiny/two={tiny_clip}", "cpu")
    assert like_one.id != like_two.id
    assert like_one.id.startswith(f"open_clip:tiny/one={tiny_clip}@")
    picture = Image.new("RGB", (64, 32), "orange")
    assert (like_one.images([picture]) @ like_two.images([picture]).T).item() < 0.9999
    assert "QuickGELU" in repr(like_one._model)  # type: ignore[attr-defined]
    assert "QuickGELU" not in repr(like_two._model)  # type: ignore[attr-defined]
    assert "mean=(0.5, 0.5, 0.5)" in repr(like_one._preprocess)  # type: ignore[attr-defined]
    load.cache_clear()
    assert load(like_one.id, "cpu").id == like_one.id


def test_a_path_that_could_be_prepared_for_in_two_ways_is_refused(
    tiny_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_tags(monkeypatch, one=HALVES, two={}, three={})
    with pytest.raises(
        EncoderUnavailable, match=rf"in 2 ways.*Type: --encoder open_clip:tiny/one={tiny_clip}"
    ):
        load(f"open_clip:tiny/{tiny_clip}", "cpu")
    _with_tags(monkeypatch, one=HALVES, two=HALVES)
    only = load(f"open_clip:tiny/{tiny_clip}", "cpu")
    assert "mean=(0.5, 0.5, 0.5)" in repr(only._preprocess)  # type: ignore[attr-defined]


def test_ids_that_say_another_preparation_or_none_are_refused(
    tiny_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_tags(monkeypatch, one={})
    before = load(f"open_clip:tiny/{tiny_clip}", "cpu").id
    _with_tags(monkeypatch, one=HALVES)
    with pytest.raises(EncoderUnavailable, match=r"in another way now\. Type: --encoder open_clip"):
        load(before, "cpu")
    with pytest.raises(EncoderUnavailable, match=r"of an older feedsway.*Type: --encoder open_cl"):
        load(before.partition("+")[0], "cpu")


def test_every_known_tag_has_the_activation_that_it_says() -> None:
    from store.encoders._torch import load_torch

    load_torch()
    import open_clip

    from store.encoders.openclip import preparation

    known = open_clip.list_pretrained()
    assert len(known) > 150
    for model, tag in known:
        told = open_clip.get_pretrained_cfg(model, tag)
        how = preparation(model, tag, open_clip)
        assert how.mean == tuple(told["mean"]), (model, tag)
        assert how.quick_gelu >= bool(told.get("quick_gelu")), (model, tag)


def test_weights_that_cannot_be_fetched_say_what_to_type(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A machine without a network: the tag is known, its weights are not here."""

    def unreachable(*_: object, **__: object) -> None:
        raise socket.gaierror("no name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setenv("HOME", str(tmp_path))
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EncoderUnavailable, match=r"type: --encoder open_clip:ViT-B-32/PATH"):
        load("open_clip:ViT-B-32/openai", "cpu")


def test_nothing_heavy_is_loaded_with_the_package() -> None:
    script = (
        "import sys, store.encoders\n"
        "heavy = {'torch', 'timm', 'transformers', 'open_clip', 'torchvision'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
