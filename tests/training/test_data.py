from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hicom_agent.encode.siglip import GuideTokenizer
from hicom_agent.errors import InputError
from hicom_agent.llm import HIComModel
from hicom_agent.llm.chat import ChatFormat, load_tokenizer
from hicom_agent.llm.hicom import IMAGE, VIDEO
from hicom_agent.llm.reader import HIComReader
from hicom_agent.training.config import TrainConfig
from hicom_agent.training.data import Talks, load_talks, parse_talk
from hicom_agent.training.footage import moments, read_picture
from hicom_agent.training.guides import guide_of
from hicom_agent.training.samples import Broken, Sample, collate
from tests.training.conftest import talk


def config_for(data: Any, **more: Any) -> TrainConfig:
    return TrainConfig(stage="tune", output=Path("out"), data=data, frames=4, **more)


def samples_of(direct: Path, footage: Path, *, guided: bool = True, **more: Any) -> Talks:
    config = config_for(more.pop("data", footage / "clips.jsonl"), **more)
    chat = ChatFormat(load_tokenizer(direct))
    guides = GuideTokenizer(direct / "siglip-so400m-patch14-384") if guided else None
    return Talks(load_talks(config)[0], config, chat, guides, 126)


def words(direct: Path, ids: list[int]) -> str:
    return str(load_tokenizer(direct).decode([each for each in ids if each >= 0]))


def test_with_guidance_each_answer_is_a_sample_of_its_own(direct: Path, footage: Path) -> None:
    samples = samples_of(direct, footage)
    assert len(samples) == 3
    guides = GuideTokenizer(direct / "siglip-so400m-patch14-384")
    for index, (answer, guide) in enumerate([("a bus", "What drives by?"), ("red", "What colour?")]):
        sample = samples[index]
        assert isinstance(sample, Sample) and sample.pixels is not None and sample.guide_ids is not None
        assert sample.pixels.shape == (4, 3, 126, 126) and sample.input_ids.count(VIDEO) == 1
        learned = [label for label in sample.labels if label != -100]
        assert words(direct, learned) == f"{answer}<|im_end|>"
        assert sample.labels[-len(learned) :] == learned == sample.input_ids[-len(learned) :]
        assert sample.guide_ids.tolist() == guides([guide_of(guide)])[0].tolist()


def test_without_guidance_a_conversation_is_one_sample_with_the_loss_on_all_answers(
    direct: Path, footage: Path
) -> None:
    samples = samples_of(direct, footage, guided=False)
    first = samples[0]
    assert len(samples) == 2 and isinstance(first, Sample) and first.guide_ids is None
    assert words(direct, [label for label in first.labels if label != -100]) == "a bus<|im_end|>red<|im_end|>"


def test_a_prompt_is_the_one_of_an_answer(direct: Path, footage: Path, tmp_path: Path) -> None:
    question = "<video>\nWhat is <image> here <|im_end|>\nand there?"
    file = tmp_path / "one.json"
    file.write_text(json.dumps([talk(1, question, "a <video> car", video=str(footage / "street.mp4"))]))
    sample = samples_of(direct, footage, data=file)[0]
    assert isinstance(sample, Sample)
    reader = HIComReader(HIComModel.from_pretrained(direct), GuideTokenizer(direct / "siglip-so400m-patch14-384"))
    prompt = reader._prompt(question.removeprefix("<video>\n"), visual=True)
    assert sample.input_ids[: len(prompt)] == prompt
    assert words(direct, sample.input_ids[len(prompt) :]) == "a < v i d e o > car<|im_end|>"


def test_pictures_are_read_upright_and_stand_for_their_own_sentinel(direct: Path, footage: Path) -> None:
    sample = samples_of(direct, footage, data=footage / "captions.json")[0]
    assert isinstance(sample, Sample) and sample.pixels is not None
    assert sample.modal == "image" and IMAGE in sample.input_ids and sample.pixels.shape == (1, 3, 126, 126)
    stored = cv2.cvtColor(cv2.imread(str(footage / "0.png")), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(read_picture(footage / "0.png"), stored)


def test_a_picture_of_16_bits_is_not_white_and_damaged_exif_is_one_line(tmp_path: Path) -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    cv2.imwrite(str(tmp_path / "deep.png"), grey.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_picture(tmp_path / "deep.png"), np.stack([grey] * 3, -1))
    # an orientation of 6, and a resolution that is a text
    entries = b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\x1a\x01\x02\0\x01\0\0\0A\0\0\0"
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + entries + bytes(4)
    jpeg = cv2.imencode(".jpg", grey)[1].tobytes()
    (tmp_path / "exif.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    with pytest.raises(InputError, match="no JPEG, PNG or WebP that can be read"):
        read_picture(tmp_path / "exif.jpg")


def test_frames_come_from_the_middles_of_equal_parts() -> None:
    assert moments(32, 0.0, 32.0)[:2] == [0.5, 1.5] and moments(2, 10.0, 14.0) == [11.0, 13.0]


def test_a_mixture_draws_a_part_and_repeats_another(footage: Path, tmp_path: Path) -> None:
    listed = [
        {"path": str(footage / "captions.json"), "ratio": 0.67},
        {"path": str(footage / "captions.json"), "count": 7},
        {"path": str(footage / "clips.jsonl"), "ratio": 1.5, "images_root": str(footage)},
    ]
    file = tmp_path / "mixture.yaml"
    file.write_text(json.dumps(listed))  # which is YAML too
    names = [each.name for each in load_talks(config_for(file))[0]]
    assert len(names) == 2 + 7 + 3 and len(set(names[:2])) == 2
    assert all(names[2:9].count(name) in (2, 3) for name in set(names[2:9]))
    assert names == [each.name for each in load_talks(config_for(file))[0]]
    others = {tuple(each.name for each in load_talks(config_for(file, seed=seed))[0]) for seed in range(8)}
    assert len(others) > 1


BROKEN = {
    "does not exist": talk(1, "<video>\nWhat?", "a car", video="none.mp4"),
    "no conversation": {"id": "1", "video": "street.mp4"},
    "take turns": {"id": "1", "conversations": [{"from": "gpt", "value": "a"}, {"from": "human", "value": "b"}]},
    "unknown role 'system'": {"id": "1", "conversations": [{"from": "system", "value": "a"}]},
    "no answer": talk(1, "What?", "a car", "And?"),
    "answer is empty": talk(1, "What?", "  "),
    "one video is supported": talk(1, "<video><video> What?", "a car", video="street.mp4"),
    "several pictures": talk(1, "<image> What?", "a car", image=["0.png", "1.png"]),
    "0 <= start < end": talk(1, "<video> What?", "a car", video="street.mp4", start=3, end=1),
    "cannot be opened: File name too long": talk(1, "<image> What?", "a car", image="x" * 5000),
    "or is no file": talk(1, "<image> What?", "a car", image="."),
    "need a file name": talk(1, "<image> What?", "a car", image=[]),
    "in seconds, got 3 and 10": talk(1, "<video> What?", "a car", video="street.mp4", start=3, end=10**400),
    "empty, so": talk(1, "What?", "\u200b"),
    "need an object": ["not", "an", "object"],
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_broken_conversation_is_named_and_left_out(reason: str, footage: Path, tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    good = talk(2, "<image> What?", "a car", image="0.png")
    file.write_text(json.dumps([BROKEN[reason], good]))
    part = {"path": file, "root": footage}
    talks, broken = load_talks(config_for((part,)))
    assert [each.name for each in talks] == ["some.json[1] 2"]
    assert len(broken) == 1 and broken[0].name.startswith("some.json[0]") and reason in broken[0].reason
    file.write_text(json.dumps([BROKEN[reason]]))
    with pytest.raises(InputError, match=r"of 1 conversations none can be used; the first: some\.json\[0\]"):
        load_talks(config_for((part,)))


def test_a_line_that_is_no_json_is_one_broken_conversation(footage: Path, tmp_path: Path) -> None:
    lines = (footage / "clips.jsonl").read_text().splitlines()
    strange = json.loads(lines[0])
    strange["conversations"][0]["value"] = "one\u2028line"
    file = tmp_path / "some.jsonl"
    text = "\n".join([json.dumps(strange, ensure_ascii=False), lines[1][:40], lines[1]])
    file.write_bytes(text.encode() + b"\n\xff\xfe{}\n")
    talks, broken = load_talks(config_for(({"path": file, "root": footage},)))
    assert len(talks) == 2 and [each.name for each in broken] == ["some.jsonl[1]", "some.jsonl[3]"]
    assert all(each.reason.startswith("is no JSON: ") for each in broken)


def test_a_video_may_have_the_tag_of_a_picture_as_the_public_sets_of_videos_do(footage: Path) -> None:
    entry = talk(1, "<image>\nWhat?", "a car", video="street.mp4")
    assert parse_talk(entry, footage, "one").turns == (("What?", "a car"),)


def test_files_of_one_name_are_told_apart_and_no_part_fills_the_memory(footage: Path, tmp_path: Path) -> None:
    (tmp_path / "captions.json").write_text(json.dumps([talk(1, "<image> What?", "a car", image="none.png")]))
    parts = ({"path": footage / "captions.json"}, {"path": tmp_path / "captions.json"})
    assert [each.name for each in load_talks(config_for(parts))[1]] == [f"{tmp_path / 'captions.json'}[0] 1"]
    with pytest.raises(InputError, match="3000000000 samples are asked of it, at most 100000000; lower ratio"):
        load_talks(config_for(({"path": footage / "captions.json", "ratio": 1e9},)))


def test_what_cannot_be_read_is_found_when_it_is_needed(direct: Path, footage: Path, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film at all" * 100)
    (tmp_path / "cut.png").write_bytes((footage / "0.png").read_bytes()[:200])
    cv2.imwrite(str(tmp_path / "flat.png"), np.zeros((8001, 8001), np.uint8))
    entries = [
        talk("film", "<video> What?", "a car", video="film.mp4"),
        talk("cut", "<image> What?", "a car", image="cut.png"),
        talk("flat", "<image> What?", "a car", image="flat.png"),
        talk("late", "<video> What?", "a car", video=str(footage / "street.mp4"), start=50, end=60),
        talk("long", "<image> " + "word " * 30, "a car", image=str(footage / "0.png")),
        talk("words", "What is a car?", "a car"),
    ]
    (tmp_path / "some.json").write_text(json.dumps(entries))
    samples = samples_of(direct, footage, data=tmp_path / "some.json", max_text_ids=150)
    found = [samples[i] for i in range(len(samples))]
    told = [each.reason for each in found if isinstance(each, Broken)]
    for reason, expected in zip(told, ["film.mp4", "cut.png", "pixels", "ends at 2.0 s", "limit"], strict=True):
        assert expected in reason
    batch = collate(found)
    assert len(batch["skipped"]) == 5 and batch["pixels"] == [None] and batch["input_ids"].shape[0] == 1
