from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hicom_agent.encode.hicom import HIComEncoder
from hicom_agent.encode.siglip import GuideTokenizer, SiglipTower, load_siglip_configs, prepare
from hicom_agent.errors import SetupError
from tests.compress.golden import GOLDEN

TOWER = GOLDEN / "siglip-so400m-patch14-384"


def original_pixels(picture: np.ndarray, side: int) -> torch.Tensor:
    """Pad to a square with grey, resize with Pillow, scale: what the original does."""
    image = Image.fromarray(picture)
    longest = max(image.size)
    square = Image.new("RGB", (longest, longest), (127, 127, 127))
    square.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
    small = np.asarray(square.resize((side, side), Image.Resampling.BICUBIC))
    return torch.from_numpy((small.astype(np.float32) / 255 - 0.5) / 0.5).permute(2, 0, 1)


@pytest.mark.parametrize(
    ("shape", "levels"), [((180, 320), 1), ((321, 180), 1), ((384, 384), 0), ((50, 37), 2), ((720, 1280), 1)]
)
def test_pictures_are_prepared_as_the_original_does_to_a_level(shape: tuple[int, int], levels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    found = prepare([picture], 384)
    assert found.shape == (1, 3, 384, 384)
    off = (found[0] - original_pixels(picture, 384)).abs() * 255 / 2
    assert float(off.max()) <= levels + 1e-3 and float(off.mean()) < 0.1


def test_pictures_of_different_sizes_and_none_at_all_are_prepared() -> None:
    pictures = [np.zeros((10, 20, 3), np.uint8), np.full((30, 30, 3), 255, np.uint8)]
    made = prepare(pictures, 28)
    assert made.shape == (2, 3, 28, 28) and float(made[1].min()) == 1.0
    torch.testing.assert_close(made[0, 0, 0, 0], torch.tensor(127 / 255 * 2 - 1))
    assert float(prepare(pictures[:1], 28, pad=False).max()) == -1.0
    assert prepare([], 28).shape == (0, 3, 28, 28)


def test_guides_are_padded_to_64_and_ignore_case_and_punctuation() -> None:
    tokenizer = GuideTokenizer(TOWER)
    ids = tokenizer(["What COLOUR, is the car?!", "what colour is  the car", "word " * 200, ""])
    assert ids.shape == (4, 64)
    end = ids[3, 0]
    assert torch.equal(ids[0], ids[1]) and ids[0, -1] == end
    assert ids[2, -1] == end and (ids[2, :63] != end).all(), "a long one ends with the end token"
    assert (ids[3] == end).all()


def make_tower() -> SiglipTower:
    vision, text = load_siglip_configs(TOWER)
    torch.manual_seed(0)
    return SiglipTower(vision, text).eval()


def test_patches_and_the_hidden_state_are_those_of_the_whole_model() -> None:
    tower = make_tower()
    pixels = prepare(list(np.random.default_rng(1).integers(0, 256, (5, 40, 60, 3), np.uint8)), 126)
    features, patches = tower.encode_frames(pixels, frames_at_once=2)
    model = tower.vision_tower
    with torch.inference_mode():
        out = model(pixel_values=pixels, output_hidden_states=True)
        last = out.last_hidden_state
        expected = last + model.head.mlp(model.head.layernorm(last))
    torch.testing.assert_close(features.flatten(1, 2), out.hidden_states[-2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(patches.rows(slice(1, 3)).flatten(1, 2), expected[1:3], rtol=1e-4, atol=1e-5)


def test_the_product_with_guides_is_right_up_to_a_constant() -> None:
    tower = make_tower()
    _, patches = tower.encode_frames(prepare([np.random.default_rng(2).integers(0, 256, (9, 9, 3), np.uint8)], 126))
    guides = torch.randn(3, 1152, generator=torch.Generator().manual_seed(0))
    off = patches.dot(slice(None), guides) - patches.rows(slice(None)) @ guides.T
    torch.testing.assert_close(off, off[:1, :1, :1].expand_as(off), rtol=1e-3, atol=1e-3)


def test_running_out_of_memory_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    tower, sizes = make_tower(), []
    encode = tower.states

    def picky(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append(len(pixels))
        if len(pixels) > 2:
            raise torch.cuda.OutOfMemoryError("no more")
        return encode(pixels)

    monkeypatch.setattr(tower, "states", picky)
    assert len(tower.encode_frames(torch.zeros(6, 3, 126, 126), frames_at_once=8)[0]) == 6
    assert sizes == [6, 4, 2, 2, 2]


def test_a_folder_without_config_or_tokenizer_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="config"):
        load_siglip_configs(tmp_path)
    with pytest.raises(SetupError, match=r"spiece\.model"):
        GuideTokenizer(tmp_path)


def test_cells_of_a_frame_are_kept_close_and_its_patches_are_made_again_from_the_thumbnail() -> None:
    import cv2

    encoder = HIComEncoder(make_tower(), GuideTokenizer(TOWER), None, "v")  # type: ignore[arg-type]
    pictures = list(np.random.default_rng(3).integers(0, 256, (2, 9, 16, 3), np.uint8).repeat(20, 1).repeat(20, 2))
    features = encoder.encode_frames(pictures)
    packed = encoder.pack(features)
    assert packed["cells"].shape == (2, 9, 1152) and packed["cells"].dtype == np.int8
    files = [cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes() for picture in pictures]
    again = encoder.unpack(packed, lambda: [files[1], files[0], files[1]])
    np.testing.assert_allclose(again.pooled, features.pooled[[1, 0, 1]], atol=1e-5)
    likely = encoder.scan("a red car", packed)
    assert likely.shape == (2,) and ((likely >= 0) & (likely <= 1)).all()
