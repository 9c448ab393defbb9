from __future__ import annotations

from pathlib import Path

import pytest

import hicom_agent.encode
from hicom_agent.encode.colours import COLOURS
from hicom_agent.encode.labels import Labels
from hicom_agent.encode.things import Share, Vocabulary, singular

FILE = Path(hicom_agent.encode.__file__).with_name("things.txt")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    names: list[tuple[str, ...]] = [(f"class{i}",) for i in range(1000)]
    names[207] = ("golden retriever",)
    names[208] = ("Labrador retriever",)
    names[714] = ("pick", "plectrum")
    names[620] = ("laptop", "laptop computer")
    return Vocabulary(FILE, Labels(tuple(names), ("",) * 1000))


def test_the_longest_name_wins_and_plurals_count(vocabulary: Vocabulary) -> None:
    (thing,) = vocabulary.find("blue bottle caps")
    assert thing.name == "bottle cap" and thing.colour == "blue" and 455 in thing.classes


def test_a_colour_belongs_to_the_thing_that_follows_it(vocabulary: Vocabulary) -> None:
    assert [(t.name, t.colour) for t in vocabulary.find("a man beside a dark red car")] == [("man", ""), ("car", "red")]


def test_what_follows_a_preposition_is_only_context(vocabulary: Vocabulary) -> None:
    assert [(t.name, t.role) for t in vocabulary.find("a car in the parking lot")] == [
        ("car", "main"),
        ("parking lot", "context"),
    ]


def test_things_that_no_class_shows_are_known_as_such(vocabulary: Vocabulary) -> None:
    hand, bottle = vocabulary.find("a hand takes a bottle")
    assert hand.classes == () and bottle.classes


def test_names_of_classes_are_found_whole_and_by_their_last_word(vocabulary: Vocabulary) -> None:
    assert vocabulary.find("a golden retriever")[0].classes == (207,)
    assert vocabulary.find("two retrievers")[0].classes == (207, 208)


def test_a_verb_is_not_taken_for_a_thing(vocabulary: Vocabulary) -> None:
    assert [t.name for t in vocabulary.find("someone picks up a bottle")] == ["someone", "bottle"]
    assert vocabulary.find("is this a pick")[0].classes == (714,)


def test_nothing_is_found_in_words_that_name_nothing(vocabulary: Vocabulary) -> None:
    assert vocabulary.find("why did it go wrong") == []


def test_every_line_of_the_file_has_classes_that_exist(vocabulary: Vocabulary) -> None:
    assert len(vocabulary._classes) > 1800
    assert all(0 <= number < 1000 for classes in vocabulary._classes.values() for number in classes)


def test_no_name_stands_on_two_lines() -> None:
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    names = [tuple(map(singular, name.split())) for line in lines for name in line.partition(":")[0].split(",")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize(
    ("asked", "like"), [("a fire hydrant", 637), ("shopping trolleys", 791), ("a deer", 353), ("lorries", 867),
                        ("any pigeons", 18), ("a policewoman", 734), ("a merry-go-round", 476)],
)  # fmt: skip
def test_everyday_words_have_the_classes_of_what_is_like_them(vocabulary: Vocabulary, asked: str, like: int) -> None:
    (thing,) = vocabulary.find(asked)
    assert like in thing.classes


def test_what_is_only_like_a_thing_is_looked_for_and_never_named(vocabulary: Vocabulary) -> None:
    assert vocabulary.find("a deer")[0].classes and "deer" not in vocabulary.everyday and "dog" in vocabulary.everyday


def test_what_fills_a_picture_has_a_colour(vocabulary: Vocabulary) -> None:
    (sky,) = vocabulary.find("the sky")
    assert sky.share == Share(("blue", "white"), 0.35, above=True) and sky.classes
    assert vocabulary.find("a red car")[0].share is None
    assert all(set(share.colours) <= set(COLOURS) and 0 < share.least < 1 for share in vocabulary._shares.values())


@pytest.mark.parametrize("text", ["the man leaves", "a dog drinks", "a woman plants a tree", "the chef cooks"])
def test_what_a_thing_does_is_no_thing(vocabulary: Vocabulary, text: str) -> None:
    assert not {thing.name for thing in vocabulary.find(text)} & {"leaf", "drink", "plant", "cook"}


def test_of_two_names_in_a_row_the_last_is_the_thing(vocabulary: Vocabulary) -> None:
    assert [(t.name, t.role) for t in vocabulary.find("a kitchen table in a garden shed")] == [
        ("kitchen table", "main"), ("garden", "context"), ("shed", "context")]  # fmt: skip
    assert [(t.name, t.role) for t in vocabulary.find("a toy car")] == [("toy", "context"), ("car", "main")]


def test_a_colour_is_no_thing_beside_a_thing(vocabulary: Vocabulary) -> None:
    assert [(t.name, t.colour) for t in vocabulary.find("an orange car")] == [("car", "orange")]
    assert vocabulary.find("an orange")[0].classes == (950,)


def test_names_of_classes_that_mean_something_else_are_not_taken() -> None:
    names: list[tuple[str, ...]] = [(f"class{i}",) for i in range(1000)]
    names[584], names[364] = ("hair slide",), ("three-toed sloth", "ai")
    found = Vocabulary(FILE, Labels(tuple(names), ("",) * 1000))
    assert found.find("the slide about ai") == [] and found.find("a hair slide")[0].classes == (584,)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("cars", "car"),
        ("men", "man"),
        ("glasses", "glasses"),
        ("bus", "bus"),
        ("boxes", "box"),
        ("grass", "grass"),
        ("houses", "house"),
        ("firemen", "fireman"),
        ("ties", "tie"),
        ("cookies", "cookie"),
        ("shorts", "shorts"),
        ("does", "does"),
        ("christmas", "christmas"),
    ],
)
def test_singulars(word: str, expected: str) -> None:
    assert singular(word) == expected
