from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from hicom_agent.encode import NanoEncoder
from hicom_agent.encode.lite0 import load_lite0
from hicom_agent.encode.sentences import SentenceModel
from hicom_agent.errors import ModelMissing
from hicom_agent.models import ensure
from hicom_agent.types import FrameFeatures

pytestmark = pytest.mark.weights


def read_frames(path: Path, times_s: list[float]) -> list[np.ndarray]:
    pictures: list[np.ndarray] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if len(pictures) < len(times_s) and frame.time is not None and frame.time >= times_s[len(pictures)]:
                pictures.append(frame.to_ndarray(format="rgb24"))
    return pictures


def make_pictures(sizes: list[tuple[int, int]]) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.fixture(scope="module")
def cars(encoder: NanoEncoder, footage: Path) -> FrameFeatures:
    # empty, white car, empty, silver and red, empty, white car
    return encoder.encode_frames(read_frames(footage / "car-detection.mp4", [2.0, 7.0, 12.0, 16.8, 22.0, 26.5]))


@pytest.fixture(scope="module")
def bottles(encoder: NanoEncoder, footage: Path) -> FrameFeatures:
    return encoder.encode_frames(read_frames(footage / "bottle-detection.mp4", [2.0, 9.0, 20.0, 33.0]))


def test_features_have_the_shapes_of_the_interface(encoder: NanoEncoder) -> None:
    features = encoder.encode_frames(make_pictures([(90, 160)] * 3))
    assert features.values.shape == (3, 6, 10, 1011) and features.keys.shape == (3, 6, 10, 384)
    np.testing.assert_allclose(np.linalg.norm(features.pooled, axis=1), 1, atol=1e-5)
    assert {array.dtype for array in (features.values, features.keys, features.pooled)} == {np.dtype(np.float32)}


def test_pictures_of_any_size_and_shape_are_seen(encoder: NanoEncoder) -> None:
    for size in ((1, 1), (3, 400), (900, 20), (2160, 3840)):
        features = encoder.encode_frames(make_pictures([size]))
        assert np.isfinite(features.keys).all() and features.values.shape[1] * features.values.shape[2] <= 60


def test_no_pictures_are_refused(encoder: NanoEncoder) -> None:
    with pytest.raises(ValueError, match="at least one"):
        encoder.encode_frames([])


def test_a_frame_has_the_same_features_alone_and_in_company(encoder: NanoEncoder) -> None:
    pictures = make_pictures([(90, 160)] * 11)
    together = encoder.encode_frames(pictures)
    alone = encoder.encode_frames(pictures[10:])
    np.testing.assert_allclose(together.pooled[10], alone.pooled[0], atol=1e-4)


def test_unpacked_features_are_close_to_those_packed(encoder: NanoEncoder, cars: FrameFeatures) -> None:
    packed = encoder.pack(cars)
    again = encoder.unpack(packed)
    assert {len(array) for array in packed.values()} == {len(cars.values)}
    assert np.abs(again.values - cars.values).max() < 0.04
    assert np.abs(again.keys - cars.keys).max() < 0.02
    assert (again.pooled * cars.pooled).sum(1).min() > 0.999
    np.testing.assert_allclose(encoder.presence("a car", again), encoder.presence("a car", cars), atol=0.05)


def test_cars_are_seen_and_the_empty_car_park_is_not_one(encoder: NanoEncoder, cars: FrameFeatures) -> None:
    presence = encoder.presence("When does a car drive through?", cars)
    assert (presence[[1, 3, 5]] > 0.3).all() and (presence[[0, 2, 4]] < 0.1).all()


def test_the_red_car_is_told_from_the_white_one(encoder: NanoEncoder, cars: FrameFeatures) -> None:
    presence = encoder.presence("a red car", cars)
    assert presence.argmax() == 3 and presence[[0, 1, 2, 4, 5]].max() < 0.3


def test_bottles_with_blue_caps_are_seen_among_cars(
    encoder: NanoEncoder, cars: FrameFeatures, bottles: FrameFeatures
) -> None:
    assert encoder.presence("blue bottle caps", bottles).min() > 0.5 > encoder.presence("blue bottle caps", cars).max()
    assert encoder.presence("a red bottle", bottles).max() < 0.3


@pytest.mark.parametrize("question", ["a sailboat", "is there an elephant?", "a pizza", "a violin", "an umbrella"])
def test_what_is_not_there_is_not_seen(
    encoder: NanoEncoder, cars: FrameFeatures, bottles: FrameFeatures, question: str
) -> None:
    assert encoder.presence(question, cars).max() < 0.3 and encoder.presence(question, bottles).max() < 0.3


@pytest.mark.parametrize("question", ["trees", "grass", "a forest", "plants", "the sky", "the sea"])
def test_no_landscape_is_seen_in_a_car_park_a_room_or_a_plain_picture(
    encoder: NanoEncoder, cars: FrameFeatures, bottles: FrameFeatures, question: str
) -> None:
    plain = np.zeros((4, 90, 160, 3), np.uint8)
    plain[:] = np.array([[40, 160, 40], [60, 120, 230], [250, 250, 250], [0, 0, 0]], np.uint8)[:, None, None]
    card = plain.copy()
    card[:, 30:60, 40:120] = (200, 30, 30)
    for pictures in (plain, card):
        assert encoder.presence(question, encoder.encode_frames(list(pictures))).max() < 0.3
    assert encoder.presence(question, cars).max() < 0.3 and encoder.presence(question, bottles).max() < 0.3


@pytest.mark.parametrize(
    "question", ["When do we see trees?", "Is there any grass?", "plants", "the sky", "green grass"]
)
def test_the_meadow_of_a_film_is_seen(encoder: NanoEncoder, question: str) -> None:
    film = Path(__file__).resolve().parents[2] / ".demo" / "footage" / "bunny.mp4"
    if not film.is_file():
        pytest.skip("no footage: examples/footage.py fetches it")
    meadow = encoder.encode_frames(read_frames(film, [0.5, 2.0, 3.5]))
    assert encoder.presence(question, meadow).min() > 0.35 > encoder.presence("red grass", meadow).max()
    assert encoder.presence("water", meadow).max() < 0.35


def test_what_has_no_name_is_looked_for_by_what_is_close_and_doubted(encoder: NanoEncoder) -> None:
    (thing,) = encoder.find_things("a howitzer")
    assert thing.guessed and 413 in thing.classes
    assert encoder.find_things("a sonnet about virtue") == []


def test_the_guide_is_nearer_to_the_patches_that_answer_it(
    encoder: NanoEncoder, cars: FrameFeatures, bottles: FrameFeatures
) -> None:
    guide = encoder.encode_guide("where are the bottles?")
    assert np.linalg.norm(guide) == pytest.approx(1, abs=1e-5)
    assert (bottles.pooled @ guide).min() > (cars.pooled @ guide).max()


def test_frames_are_put_into_words(encoder: NanoEncoder, bottles: FrameFeatures) -> None:
    names = encoder.describe(encoder.pack(bottles), 4)
    assert len(names) == 4 and all(len(words) <= 4 for words in names)
    assert any("bottle" in word for word in names[0])


def test_texts_are_encoded_alike_in_any_company(encoder: NanoEncoder) -> None:
    texts = ["a car", "a far longer sentence about nothing in particular", "a car"]
    vectors = encoder.encode_texts(texts)
    assert vectors.shape == (3, 384) and encoder.encode_texts([]).shape == (0, 384)
    np.testing.assert_allclose(vectors[0], encoder.encode_texts(["a car"])[0], atol=1e-5)


def test_a_text_is_read_once_and_nobody_changes_its_vector_for_others(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences, read = SentenceModel(ensure("minilm", cache, offline=True)), list[str]()
    encode = sentences._encode_batch

    def encode_batch(texts: list[str]) -> np.ndarray:
        read.extend(texts)
        return encode(texts)

    monkeypatch.setattr(sentences, "_encode_batch", encode_batch)
    first = sentences.encode(["a car"])
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(sentences.encode(["a car"]), kept)
    assert read == ["a car"]


def test_the_folded_network_equals_the_plain_one(encoder: NanoEncoder) -> None:
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    plain = EfficientNet.from_name("efficientnet-lite0").eval()
    plain.load_state_dict(torch.load(encoder._lite0_path, weights_only=True))
    pictures = torch.from_numpy(np.stack(make_pictures([(96, 160)] * 2)))
    with torch.inference_mode():
        features = plain.extract_features(pictures.permute(0, 3, 1, 2).float() / 127.5 - 1)
        expected = plain._fc(features.permute(0, 2, 3, 1))
        found = load_lite0(encoder._lite0_path)(pictures)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_another_file_gives_another_version(encoder: NanoEncoder, cache: Path, tmp_path: Path) -> None:
    from hicom_agent.encode.version import checksum

    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"weights")
    shutil.copy(one, other)
    assert checksum([one]) == checksum([other])
    other.write_bytes(b"weighty")
    assert checksum([one]) != checksum([other])


def test_sentence_vectors_equal_those_of_the_reference_implementation(encoder: NanoEncoder, cache: Path) -> None:
    import torch
    from transformers import AutoTokenizer, BertModel

    folder = ensure("minilm", cache, offline=True)
    texts = ["a car", "Where does the man in the dark suit go, and what does he carry?", "", "word " * 400]
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = BertModel.from_pretrained(folder, local_files_only=True).eval()
    batch = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.inference_mode():
        states, mask = model(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1)
    expected = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1).numpy()
    np.testing.assert_allclose(encoder.encode_texts(texts), expected, atol=1e-5)


def test_a_folder_without_the_sentence_model_is_named_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="models pull"):
        SentenceModel(tmp_path)


@pytest.mark.parametrize(
    ("question", "unread"),
    [
        ("Is there a cat?", []),
        ("Is there a red car on the road?", []),
        ("Does a car drive by?", []),
        ("Is the man wearing sunglasses?", []),
        ("Is the cat sleeping?", ["sleeping"]),
        ("Does the car explode?", ["explode"]),
    ],
)
def test_words_that_pictures_do_not_answer_are_named(encoder: NanoEncoder, question: str, unread: list[str]) -> None:
    assert [word for word in encoder.unread(question) if word not in ("the", "a")] == unread
