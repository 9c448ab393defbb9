"""The loop on a real store with the real sentence model; only the language model that plans is scripted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from hicom_agent import models
from hicom_agent.agent import Agent, Budget, Readers
from hicom_agent.encode import NanoEncoder
from hicom_agent.errors import AnswerError
from hicom_agent.llm.reranker import Reranker
from hicom_agent.llm.text import ChatText, SmallTextModel
from hicom_agent.memory import Store
from hicom_agent.types import Answer, Clip, Record, ScreenText, Utterance, VideoInfo

pytestmark = pytest.mark.weights
VIDEO = "00000000000000aa"
SAID = [
    Utterance(10, 13, "The harbour opens at nine."),
    Utterance(30, 33, "My brother repairs the engines."),
    Utterance(50, 53, "The old boats lie behind the church."),
    Utterance(80, 83, "Nobody knows who painted the wall."),
]
WRITTEN = [
    ScreenText(0, 5, "Chapter one"),
    ScreenText(20, 26, "FERRY. Adults 12 euros. Children 5 euros"),
    ScreenText(60, 66, "Chapter two"),
    ScreenText(90, 100, "The end"),
]


@pytest.fixture(scope="module")
def encoder(nano: Path) -> NanoEncoder:
    folders = [models.ensure(name, nano, offline=True) for name in ("lite0", "minilm", "imagenet-labels")]
    return NanoEncoder(folders[0] / "efficientnet-lite0.pth", folders[1], folders[2])


@pytest.fixture(scope="module")
def readers(nano: Path) -> Readers:
    small = SmallTextModel(models.ensure("smollm2", nano, offline=True), threads=2)
    reranker = Reranker(models.ensure("reranker", nano, offline=True), threads=2)
    return Readers(lambda: small, rank=reranker.score)


@pytest.fixture(scope="module")
def store(encoder: NanoEncoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("memory"), write=True) as opened:
        opened.commit(make(encoder, SAID))
        yield opened


def make(encoder: NanoEncoder, said: list[Utterance]) -> Record:
    return Record(
        video_id=VIDEO,
        sha256=VIDEO + "0" * 48,
        path="/films/harbour.mp4",
        title="harbour",
        info=VideoInfo(100, 640, 360, "h264", "aac"),
        profile=encoder.version,
        clips=[Clip(0, 0, 100)],
        frames=[],
        speech=said,
        texts=WRITTEN,
        damage=[],
        vectors={
            "speech": encoder.encode_texts([u.text for u in said]),
            "texts": encoder.encode_texts([t.text for t in WRITTEN]),
        },
        covered_s=100.0,
        settings_key="every=1.0 ocr speech",
    )


@pytest.fixture
def ask(store: Store, encoder: NanoEncoder, readers: Readers) -> Callable[[str], Answer]:
    return lambda question: Agent(store, encoder, readers).ask(VIDEO, question)


@pytest.fixture
def planned(
    store: Store, encoder: NanoEncoder, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Answer]:
    def make_planned(question: str, *replies: str, budget: Budget | None = None) -> Answer:
        chat = GenericFakeChatModel(messages=iter([AIMessage(reply) for reply in replies]))
        monkeypatch.setattr("langchain.chat_models.init_chat_model", lambda name, **choices: chat)
        return Agent(store, encoder, readers, planner=lambda: ChatText("made:up")).ask(VIDEO, question, budget)

    return make_planned


def cited(answer: Answer) -> list[float]:
    return [citation.start_s for citation in answer.citations]


def test_what_is_said_after_a_sign_is_the_next_words_after_it(ask: Callable[[str], Answer]) -> None:
    answer = ask("What is said after the ferry sign?")
    assert cited(answer) == [30] and "engines" in answer.answer and not answer.abstained
    assert [step.why for step in answer.steps] == ["after", ""] and answer.spend.steps == 2
    assert answer.steps[1].start_s == 26 and answer.steps[1].end_s is None


def test_what_is_said_before_a_sign_is_the_nearest_before_it(ask: Callable[[str], Answer]) -> None:
    assert cited(ask("What is said before the ferry sign?")) == [10]


def test_first_last_and_between(ask: Callable[[str], Answer]) -> None:
    assert cited(ask("What is written last?")) == [90]
    assert cited(ask("What is the first thing that is said?")) == [10]
    assert cited(ask("What is said between chapter one and chapter two?")) == [10, 30, 50]
    assert cited(ask("What is said after 1:00?")) == [80]


def test_which_of_two_comes_first_is_told_by_their_times(ask: Callable[[str], Answer]) -> None:
    answer = ask("Which comes first, the ferry sign or the title of chapter two?")
    assert answer.answer.startswith("the ferry sign comes first") and cited(answer) == [20, 60]
    assert ask("Does the title of chapter two appear before the ferry sign?").answer.startswith("No")


def test_an_anchor_that_is_not_there_is_named(ask: Callable[[str], Answer]) -> None:
    answer = ask("What is said after the dentist sign?")
    assert answer.abstained and answer.reason == "not seen" and "the dentist sign" in answer.answer


def test_what_the_index_knows_of_the_film_is_told_from_it(ask: Callable[[str], Answer]) -> None:
    assert ask("How long is the video?").answer == "00:01:40 (100.0 seconds)"
    assert not ask("What is the duration of this film?").abstained
    assert not ask("How many scenes are there in the second half?").answer.startswith("1 clip")
    assert ask("How many scenes are there?").answer.startswith("1 clip,")


def test_that_anything_is_said_or_written_is_told_by_its_times(ask: Callable[[str], Answer]) -> None:
    answer = ask("Is anyone speaking?")
    assert answer.answer.startswith("Yes, something is said at 00:00:10-00:00:13, ") and len(answer.citations) == 4
    assert cited(ask("Is there any text on the screen after 0:50?")) == [60, 90]
    assert ask("Is anyone speaking between 0:15 and 0:25?").abstained
    assert cited(ask("What does the sign say?")) == [0, 20, 60, 90]
    assert cited(ask("When is something written for the last time?")) == [90]
    assert ask("How often does anyone speak?").answer.startswith("4 times: ")
    assert cited(ask("When is the first sign shown?")) == [0]


def test_when_leads_with_the_line_that_names_a_time(ask: Callable[[str], Answer]) -> None:
    assert ask("When does the harbour open?").answer.startswith('"The harbour opens at nine." (said at 00:00:10')
    assert ask("When are the old boats mentioned?").answer.startswith("At 00:00:50")


def test_how_long_is_answered_by_what_is_told(store: Store, encoder: NanoEncoder, readers: Readers) -> None:
    with Store.open(store.root.parent / "longer", write=True) as other:
        other.commit(make(encoder, [*SAID, Utterance(92, 96, "The engineers waited eleven days for the ferry.")]))
        answer = Agent(other, encoder, readers).ask(VIDEO, "How long did the engineers wait?")
    assert "eleven days" in answer.answer and cited(answer) == [92]


def test_that_is_what_the_part_before_asked_for(ask: Callable[[str], Answer]) -> None:
    answer = ask("When is the ferry sign shown, and what is said after that?")
    assert "engines" in answer.answer.splitlines()[1]


def test_the_budget_of_steps_ends_the_loop_and_says_so(store: Store, encoder: NanoEncoder) -> None:
    agent = Agent(store, encoder, Readers(lambda: pytest.fail("no words are needed")))
    answer = agent.ask(VIDEO, "What is said after the ferry sign?", Budget.of(max_steps=1))
    assert answer.abstained and answer.reason == "out of budget" and "steps" in answer.spend.note


def test_two_lines_that_say_it_differently_are_a_contradiction(
    encoder: NanoEncoder, readers: Readers, tmp_path: Path
) -> None:
    said = [
        Utterance(10, 13, "The ferry leaves at nine o'clock."),
        Utterance(40, 43, "The ferry leaves at eleven o'clock."),
    ]
    with Store.open(tmp_path, write=True) as store:
        store.commit(make(encoder, said))
        answer = Agent(store, encoder, readers).ask(VIDEO, "At what time does the ferry leave?")
    assert answer.abstained and answer.reason == "contradictory" and cited(answer) == [10, 40]


def test_a_model_plans_the_next_question_and_answers_from_what_was_observed(planned: Callable[..., Answer]) -> None:
    answer = planned(
        "What do grown-ups pay?",
        'I will look. {"ask": "What is written on the ferry sign?"}',
        '{"answer": "Adults pay 12 euros", "steps": [2]}',
    )
    assert answer.answer == "Adults pay 12 euros" and cited(answer) == [20]
    assert [step.failed for step in answer.steps] == [False, False]


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("I think it costs 12 euros.", "no JSON object"),
        ('{"ask": "a", "answer": "b"}', "exactly one"),
        ('{"question": "what?"}', "the keys are ask"),
        ('{"answer": "Adults pay 99 dollars", "steps": [1]}', "99, dollar"),
        ('{"answer": "Adults pay 12 euros, at 0:55", "steps": [1]}', "0:55"),
        ('{"answer": "Adults pay 12 euros", "steps": [7]}', "an answer names the steps"),
        ('{"ask": "What does the ferry cost for adults", "after": 500}', "nothing lies after 500"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_a_step_that_the_model_reads(
    planned: Callable[..., Answer], reply: str, told: str
) -> None:
    good = '{"answer": "Adults 12 euros", "steps": [1]}'
    answer = planned("What is written on the ferry sign?", reply, good)
    failed = [step for step in answer.steps if step.failed]
    assert len(failed) == 1 and told in failed[0].observation
    assert answer.answer == "Adults 12 euros" and cited(answer) == [20]


def test_a_model_that_only_errs_leaves_the_answer_to_the_rules(planned: Callable[..., Answer]) -> None:
    answer = planned("What is written last?", "hm", "hm")
    assert cited(answer) == [90] and sum(step.failed for step in answer.steps) == 2


def test_the_same_question_again_is_refused_and_giving_up_keeps_what_was_found(planned: Callable[..., Answer]) -> None:
    answer = planned("Who painted the wall?", '{"ask": "Who painted the wall?"}', '{"give_up": "nobody knows"}')
    assert any("asked before" in step.observation for step in answer.steps)


def test_a_model_that_cannot_be_reached_undoes_nothing_and_is_an_error_where_nothing_was_found(
    planned: Callable[..., Answer],
) -> None:
    answer = planned("What is written last?")  # the script is empty: the chat model raises
    assert cited(answer) == [90] and "made:up" in answer.spend.note
    with pytest.raises(AnswerError):
        planned("Which breed is the dog?")


def test_time_that_is_up_is_said_and_not_taken_for_an_absence(store: Store, encoder: NanoEncoder) -> None:
    agent = Agent(store, encoder, Readers(lambda: pytest.fail("no words are needed")))
    answer = agent.ask(VIDEO, "What is said after the ferry sign?", Budget(until_s=0.0))
    assert answer.reason == "out of budget" and "time was up" in answer.spend.note and "budget" in answer.answer


def test_the_second_or_third_of_several_is_told_and_too_few_is_said(ask: Callable[[str], Answer]) -> None:
    assert cited(ask("What is the second card?")) == [20]
    assert cited(ask("What is written on the third card?")) == [60]
    assert cited(ask("When is a chapter shown for the second time?")) == [60]
    missing = ask("What is the fifth card?")
    assert missing.abstained and missing.answer.startswith("I found only 4 such things: ")
    third = ask("When is the title of a chapter shown for the third time?")
    assert third.abstained and third.answer.startswith("I found it only twice: ")


def test_the_lines_of_a_card_are_one_also_where_something_is_said_between_them(
    encoder: NanoEncoder, readers: Readers, tmp_path: Path
) -> None:
    cards = [
        ScreenText(1.0, 5, "Beware of the dog"),
        ScreenText(1.4, 5, "Ring twice"),
        ScreenText(1.8, 5, "No cold callers"),
        ScreenText(9.0, 12, "Gate 4"),
    ]
    with Store.open(tmp_path, write=True) as store:
        record = make(encoder, [Utterance(1.2, 2, "Mind the step.")])
        vectors = {**record.vectors, "texts": encoder.encode_texts([card.text for card in cards])}
        store.commit(replace(record, texts=cards, vectors=vectors))
        agent = Agent(store, encoder, readers)
        assert cited(agent.ask(VIDEO, "What does the first card say?")) == [1.0, 1.4, 1.8]
        assert cited(agent.ask(VIDEO, "What does the second card say?")) == [9.0]
        assert agent.ask(VIDEO, "Is something written for the fifth time?").abstained


def test_a_line_is_surer_under_another_name_where_it_is_read_with_the_question(
    store: Store, encoder: NanoEncoder, readers: Readers
) -> None:
    def best(readers: Readers) -> tuple[float, float]:
        found = Agent(store, encoder, readers).ask(VIDEO, "When are the opening hours of the port mentioned?")
        return found.citations[0].start_s, found.citations[0].score

    (at, ranked), (_, plain) = best(readers), best(replace(readers, rank=None))
    assert at == 10 and ranked > 0.9 > plain


def test_a_line_with_a_pronoun_answers_for_what_the_line_before_names(
    encoder: NanoEncoder, readers: Readers, tmp_path: Path
) -> None:
    said = [
        Utterance(10, 12, "The cat is called Pepper."),
        Utterance(13, 15, "She sleeps in the laundry basket."),
        Utterance(40, 42, "The dog guards the gate."),
    ]
    with Store.open(tmp_path, write=True) as store:
        store.commit(make(encoder, said))
        agent = Agent(store, encoder, readers)
        answer = agent.ask(VIDEO, "Where does the cat sleep?")
        assert not answer.abstained and "laundry basket" in answer.answer and cited(answer) == [13]
        assert cited(agent.ask(VIDEO, "What is the cat called?"))[0] == 10
        assert agent.ask(VIDEO, "Where does the dog sleep?").abstained


def test_the_beginning_of_a_thing_is_not_its_end(encoder: NanoEncoder, readers: Readers, tmp_path: Path) -> None:
    with Store.open(tmp_path, write=True) as store:
        store.commit(make(encoder, [Utterance(10, 12, "The night shift begins at ten.")]))
        agent = Agent(store, encoder, readers)
        assert cited(agent.ask(VIDEO, "When does the night shift begin?"))[0] == 10
        assert agent.ask(VIDEO, "When does the night shift end?").abstained


def test_how_often_a_thing_is_mentioned_counts_lines(ask: Callable[[str], Answer]) -> None:
    counted = ask("How often are the old boats mentioned?")
    assert counted.answer.startswith("Once: ") and cited(counted) == [50]
