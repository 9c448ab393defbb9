from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hicom_agent.agent.sameness import ALIKE, look_words, same_look
from hicom_agent.encode.guide import guide_text
from hicom_agent.encode.sentences import SentenceModel
from hicom_agent.errors import ModelMissing
from hicom_agent.models import ensure

if TYPE_CHECKING:
    from hicom_agent.types import Floats

Encode = Callable[[Sequence[str]], "Floats"]
PAIRS = Path(__file__).resolve().parents[2] / "benchmarks" / "sameness_pairs.json"
SAME = """
When does a car appear? | How often is a car seen?
When does a car appear? | Are there any automobiles in the video?
Who rides the bicycle? | When is somebody riding a bike?
Does the phone ring? | At what point did the telephone ring?
Is there a man with a hat? | When does the guy wearing a hat show up?
Can you see a car that is red? | Please show me the red car.
When does the dog chase the man? | When is the man chased by the dog?
Are there two women? | Where are the 2 women?
"""
NEAR = {
    "attribute": """
Is there a red car? | Is there a white car?
Is there a red car? | Is there a car?
Is there a cup of tea? | Is there a cup of coffee?
Is there a white car and a red truck? | Is there a red car and a white truck?
Is there a short man? | Is there a man in shorts?
Is there a wooden door? | Is there a glass door?
Is there an electric guitar? | Is there an acoustic guitar?
Is there a big dog? | Is there a small dog?
Is there a man in red? | Is there a red man?
Is the car clean? | Is the car dirty?
Is a 5$ bill shown? | Is a 5€ bill shown?
Is there a US flag? | Is there a flag?
""",
    "number": """
Is there one bird? | Are there three birds?
Are there two birds? | Is there a bird?
When does the first car come? | When does the second car come?
Does the second man sing? | Do two men sing?
Is it 10 am? | Is it 10 pm?
Is it -5 degrees? | Is it 5 degrees?
Who wears number 7? | Who wears number 10?
Is it 2:30? | Is it 23?
Does it cost 5 dollars? | Does it cost 50 dollars?
Are there 1.5 litres? | Are there 15 litres?
Is there a pair of shoes? | Are there two pairs of shoes?
Are there a dozen eggs? | Are there eggs?
""",
    "opposite": """
When does the bus turn left? | When does the bus turn right?
Is the door open? | Is the door closed?
Is there a man? | Is there a woman?
Is it day? | Is it night?
What comes before the break? | What comes after the break?
Who goes in? | Who goes out?
Is the light on? | Is the light off?
Who opens the door? | Who closes the door?
Is there a man with a beard? | Is there a man without a beard?
Is the door locked? | Is the door not locked?
Who is wearing a helmet? | Who is not wearing a helmet?
Is there somebody in the room? | Is there nobody in the room?
""",
    "relation and order": """
Is the cat on the table? | Is the cat under the table?
Is the cat on the mat? | Is the mat on the cat?
When does the dog chase the man? | When does the man chase the dog?
When is the man hit? | When does the man hit?
When is the man given the ball? | When does the man give the ball?
Is the window broken? | Who breaks the window?
Is there an open door? | Who opens the door?
Does the dog run to the house? | Does the dog run from the house?
Is there a boat house? | Is there a house boat?
Is a man helping a woman? | Is a man helped by a woman?
Is anyone eating? | Is anyone being eaten?
Who crosses the street? | What crosses the street?
""",
    "part or condition": """
Is there a car? | Is there a car with a trailer?
Is there a dog? | Is there a hot dog?
Is there a man? | Is there a man with a hat?
Is there a car? | Is there a car key?
Is there a bottle? | Is there a bottle cap?
Is there a beer can on the table? | Is there beer on the table?
Is there bread? | Is there a bread knife?
Is there a baby? | Is there a baby carriage?
Is there a painting? | Is there paint?
Is there a man's hat? | Is there a man with a hat?
Is there a round table? | What is around the table?
Is there a fish? | Is there fishing?
""",
    "other thing": """
Is there a car? | Is there a truck?
Is there a cup? | Is there a bottle?
Is there a cat? | Is there a dog?
Is there a dog? | Is there an animal?
Is there a bicycle? | Is there a motorcycle?
Is there a man with a cap? | Is there a man with a cape?
Is there a glass on the table? | Are there glasses on the table?
Are there clothes on the table? | Is there cloth on the table?
Are there woods? | Is there wood?
Is there a plane? | Is there a plan?
When does Anna speak? | When does Peter speak?
Where is Guy? | Where is the man?
""",
}


def pairs_of(text: str) -> list[list[str]]:
    return [line.split(" | ") for line in text.strip().splitlines()]


def all_pairs() -> list[list[str]]:
    topics = json.loads(PAIRS.read_text(encoding="utf-8"))["topics"]
    return [pair[:2] for topic in topics.values() for kind in ("same", "near") for pair in topic[kind]]


@pytest.fixture(scope="module")
def encode(cache: Path) -> Encode:
    """Return the packaged MiniLM, which reads all guides at once, or skip where it was never pulled."""
    try:
        model = SentenceModel(ensure("minilm", cache, offline=True))
    except ModelMissing as error:
        pytest.skip(str(error))
    pairs = [*all_pairs(), *(pair for text in (SAME, *NEAR.values()) for pair in pairs_of(text))]
    guides = sorted({guide_text(question) for pair in pairs for question in pair})
    known = dict(zip(guides, model.encode(guides), strict=True))
    return lambda texts: np.stack([known[text] for text in texts])


def all_alike(texts: Sequence[str]) -> Floats:
    """Stand for the most forgiving encoder: only the words can tell questions apart."""
    return np.ones((len(texts), 1), np.float32)


@pytest.mark.weights
@pytest.mark.parametrize(("asked", "earlier"), pairs_of(SAME))
def test_a_question_in_other_words_looks_for_the_same(encode: Encode, asked: str, earlier: str) -> None:
    assert same_look(asked, ["Is there a ship?", earlier], encode) == 1


@pytest.mark.weights
@pytest.mark.parametrize("sort", list(NEAR))
def test_a_near_miss_is_not_the_same(encode: Encode, sort: str) -> None:
    taken = [pair for pair in pairs_of(NEAR[sort]) if same_look(pair[0], [pair[1]], encode) is not None]
    assert not taken


def test_the_words_alone_tell_near_misses_apart() -> None:
    near = [pair for text in NEAR.values() for pair in pairs_of(text)]
    assert [pair for pair in near if same_look(pair[0], [pair[1]], all_alike) is not None] == []


@pytest.mark.weights
def test_looking_for_the_same_is_reflexive_and_symmetric(encode: Encode) -> None:
    for one, other in all_pairs():
        assert same_look(one, [one], encode) == 0
        assert same_look(one, [other], encode) == same_look(other, [one], encode)


@pytest.mark.weights
def test_near_misses_of_the_file_are_all_told_apart(encode: Encode) -> None:
    topics = json.loads(PAIRS.read_text(encoding="utf-8"))["topics"]
    near = [pair for topic in topics.values() for pair in topic["near"]]
    assert [pair for pair in near if same_look(pair[0], [pair[1]], encode) is not None] == []


def test_the_most_alike_comes_first() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [1, 0]], np.float32)
    earlier = ["Is there an automobile?", "How many cars are there?", "Is there a tree?"]
    asked = np.array([[0.6, 0.8]], np.float32)
    assert same_look("When does a car appear?", earlier, lambda texts: asked, vectors) == 1


def test_the_same_words_are_not_believed_where_the_vectors_are_far_apart() -> None:
    far = np.array([[ALIKE - 0.01, 0]], np.float32)
    asked = np.array([[1, 0]], np.float32)
    assert same_look("Is there a car?", ["Is there a car?"], lambda texts: asked, far) is None


def test_nothing_is_encoded_where_no_question_has_the_same_words() -> None:
    def refuse(texts: Sequence[str]) -> Floats:
        raise AssertionError(texts)

    assert same_look("Is there a car?", [], refuse) is None
    assert same_look("Is there a car?", ["Is there a dog?", "", "???"], refuse) is None


@pytest.mark.parametrize("question", ["", "?", "Who?", "What is on screen?", "Wo ist der Hund?", "狗在哪里？"])
def test_a_question_of_no_words_or_of_another_language_is_only_like_itself(question: str) -> None:
    others = ["What is in the video?", "Where?", "Wo ist die Katze?", "猫在哪里？", "Is there a dog?"]
    assert same_look(question, [question], all_alike) == 0
    assert look_words(question) not in {look_words(other) for other in others}
