"""What a film holds, told in order: from the index alone, and only what is sure."""

from __future__ import annotations

from pathlib import Path

import pytest

from hicom_agent.agent.evidence import ALWAYS
from hicom_agent.agent.film import Film
from hicom_agent.agent.outline import outline, split_film, spread_clips
from hicom_agent.agent.plan import understand
from hicom_agent.agent.together import first_looks
from hicom_agent.build import Workspace
from hicom_agent.memory import Store
from hicom_agent.settings import load_settings
from hicom_agent.types import Clip, Record, ScreenText, Utterance, VideoInfo

CLIPS = [Clip(i, 10.0 * i, 10.0 * (i + 1)) for i in range(6)]
SAID = [
    Utterance(1, 3, "The boat leaves the harbour at nine."),
    Utterance(4, 6, "Boats leave the harbour every hour."),
    Utterance(7, 9, "Um, well, you know."),
    Utterance(41, 44, "The old man repairs clocks in the cellar."),
]
WRITTEN = [ScreenText(0, 5, "Harbour"), ScreenText(20, 22, "Q"), ScreenText(50, 55, "The end"),
           ScreenText(56, 59, "THE END")]  # fmt: skip


@pytest.fixture(scope="module")
def work(nano: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    work = Workspace(load_settings({"store": tmp_path_factory.mktemp("memory"), "profile": "nano"}))
    with Store.open(work.settings.store, write=True) as store:
        for name, said, written in (("a", SAID, WRITTEN), ("b", [], [])):
            store.commit(make(work, name * 16, said, written))
    return work


def make(work: Workspace, video_id: str, said: list[Utterance], written: list[ScreenText]) -> Record:
    lines = {"speech": [row.text for row in said], "texts": [row.text for row in written]}
    return Record(
        video_id=video_id,
        sha256=video_id * 4,
        path=f"/films/{video_id}.mp4",
        title=video_id,
        info=VideoInfo(60, 640, 360, "h264", "aac"),
        profile=work.encoder.version,
        clips=CLIPS,
        frames=[],
        speech=said,
        texts=written,
        damage=[],
        vectors={kind: work.encoder.encode_texts(texts) for kind, texts in lines.items() if texts},
        covered_s=60.0,
        settings_key="every=1.0 ocr speech",
    )


@pytest.mark.parametrize(
    "question",
    [
        "What happens in this video?",
        "what is this film about?",
        "What's happening?",
        "Summarize the video",
        "Give me a short summary.",
        "Please describe the clip",
        "Can you describe this video?",
        "Tell me about the video",
        "What can be seen?",
        "What do you see in the video?",
        "What is shown",
        "What is in the picture?",
        "What objects are there in this video?",
        "What things can be seen in the footage?",
        "What is going on here?",
        "Can you please give me a quick overview of the film",
        "What happened?",
    ],
)
def test_questions_about_the_whole_are_told_from_others(question: str) -> None:
    assert understand(question).kind == "outline"


@pytest.mark.parametrize(
    "question",
    [
        "What is said?",
        "What is written?",
        "What can be seen on the table?",
        "What is the video's price?",
        "Who is in the video?",
        "What happens to the dog?",
        "What is the narrator talking about?",
        "What colour is the car in the video?",
        "When does something happen?",
        "Describe the red car",
        "What is the name of the film?",
        "How many objects are in the video?",
        "When is the overview map shown?",
        "Who gives the summary?",
        "Is there a summary of donations?",
        "What is the outline of the house painted in?",
        "What does it contain?",
        "Summarize the recipe",
    ],
)
def test_what_asks_for_one_thing_is_no_outline(question: str) -> None:
    assert understand(question).kind != "outline"


def test_a_film_is_told_in_order_with_its_typical_lines_each_once(work: Workspace) -> None:
    with work.store() as store:
        answer = work.agent(store).ask("a" * 16, "What is this video about?")
        assert answer.answer.splitlines() == [
            '00:00:00-00:00:10 said: "The boat leaves the harbour at nine." and 2 more; written: "Harbour"',
            '00:00:40-00:00:50 said: "The old man repairs clocks in the cellar."',
            '00:00:50-00:01:00 written: "The end"',
        ]
        assert [citation.start_s for citation in answer.citations] == [1, 0, 41, 50]
        assert not answer.abstained and len(answer.steps) == 1
        narrow = work.agent(store).ask("a" * 16, "What happens between 0:35 and 0:48?")
        assert [citation.start_s for citation in narrow.citations] == [41]
        inside = work.agent(store).ask("a" * 16, "What is shown at 0:55?")
        assert "The end" in inside.answer, "it was on the screen before"
        assert work.agent(store).ask("b" * 16, "Summarize the video").abstained, "nothing is known of it"


def test_a_line_that_begins_at_the_end_of_a_stretch_is_told_there(work: Workspace) -> None:
    with Store.open(work.settings.store, write=True) as store:
        store.commit(make(work, "c" * 16, [Utterance(9, 19, "The long sentence about the harbour.")], []))
        answer = work.agent(store).ask("c" * 16, "What happens in this video?")
    assert answer.answer == '00:00:00-00:00:10 said: "The long sentence about the harbour."'


def test_only_what_is_asked_for_is_told(work: Workspace) -> None:
    with work.store() as store:
        film = Film.read(store, "a" * 16)
        told = outline(store, work.encoder, film, ALWAYS, {"text"})
        assert {piece.modality for piece in told.used} == {"text"}
        last = outline(store, work.encoder, film, ALWAYS, {"speech", "text"}, "last")
        assert [piece.text for piece in last.used] == ["The end"]


def test_stretches_cover_the_window_and_no_more() -> None:
    assert split_film([], ALWAYS) == [] and split_film(CLIPS, (70.0, 90.0)) == []
    spans = [(stretch.start_s, stretch.end_s) for stretch in split_film(CLIPS, (5.0, 35.0), 2)]
    assert spans == [(5.0, 20.0), (20.0, 35.0)]
    assert len(split_film([Clip(i, i, i + 1.0) for i in range(500)], ALWAYS)) == 8


def test_an_outline_compresses_nothing_beforehand(work: Workspace) -> None:
    assert first_looks("What happens in this video?", 60.0) == []
    with work.store() as store:
        assert spread_clips(Film.read(store, "a" * 16), ALWAYS) == [], "clips without frames show nothing"


def test_a_real_film_is_outlined_by_what_it_shows(footage: Path, nano: Path, tmp_path: Path) -> None:
    from hicom_agent.tools import index_video

    work = Workspace(load_settings({"store": tmp_path, "profile": "nano", "speech": False, "ocr": False}))
    video_id = index_video(work, footage / "bottle-detection.mp4").video_id
    with work.store() as store:
        answer = work.agent(store).ask(video_id, "What can be seen?")
        assert "bottle" in answer.answer and not answer.abstained
        assert all(citation.frame_id for citation in answer.citations)
