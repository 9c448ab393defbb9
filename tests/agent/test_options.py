"""Multiple choice: evidence speaks for an option, and where there is none, what is seen does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hicom_agent.agent.options import choose
from hicom_agent.types import Answer, Citation, Coverage, Spend


class Even:
    """A model that holds all options alike."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def score(self, system: str, user: str, options: Sequence[str]) -> list[float]:
        self.read.append(user)
        return [-1.0] * len(options)


def answer(text: str, *quotes: str) -> Answer:
    cited = [
        Citation(video_id="v", start_s=1, end_s=2, timecode="00:00:01", score=0.9, modality="speech", quote=quote)
        for quote in quotes
    ]
    return Answer(
        question="?", answer=text, abstained=not text, confidence=0.5, citations=cited,
        coverage=Coverage(indexed_s=9, total_s=9), spend=Spend(), profile="p", index_version="gen-000001",
    )  # fmt: skip


def test_what_the_evidence_holds_is_chosen() -> None:
    model = Even()
    options = ["at nine", "at half past ten", "at noon"]
    choice = choose(
        "When does the ferry leave?",
        options,
        answer("half past ten", "It leaves at half past ten."),
        lambda: model,
        lambda o: 0.0,
    )
    assert choice.option == "at half past ten"
    assert sum(choice.likelihoods.values()) == pytest.approx(1, abs=1e-3) and list(choice.likelihoods) == options
    assert "It leaves at half past ten." in model.read[0]


def test_without_words_what_is_seen_decides_and_no_model_is_asked() -> None:
    def unasked() -> Even:
        raise AssertionError("there is nothing to read")

    seen = {"a dog": 0.1, "bottles": 0.8}
    choice = choose("What is on the belt?", list(seen), answer(""), unasked, lambda option: seen[option])
    assert choice.option == "bottles" and choice.likelihoods["bottles"] > 0.9


@pytest.mark.parametrize("options", [[], ["one"], ["one", "one"]])
def test_a_choice_needs_two_options(options: list[str]) -> None:
    with pytest.raises(ValueError, match="two different options"):
        choose("Which?", options, answer("x"), Even, lambda option: 0.0)


def test_an_outline_says_less_than_the_pictures() -> None:
    outline = answer('00:00:00-00:00:05 looks like: bird; written: "Welcome"', "Welcome")
    seen = {"a parrot sits": 0.9, "a car race": 0.1}
    choice = choose("What happens in the video?", list(seen), outline, Even, lambda option: seen[option])
    assert choice.option == "a parrot sits" and choice.likelihoods["a parrot sits"] > 0.9


def test_the_parts_of_a_question_are_no_evidence_for_their_words() -> None:
    told = answer("Is there a parrot: Yes, seen at 00:00:02\nIs there a cat: I did not find this in the video.")
    seen = {"a cat": 0.1, "a parrot": 0.9}
    choice = choose("Is there a parrot or a cat?", list(seen), told, Even, lambda option: seen[option])
    assert choice.option == "a parrot" and choice.likelihoods["a parrot"] > 0.9


def test_a_fact_of_the_film_speaks_for_the_option_that_names_it() -> None:
    told = answer("00:01:12 (72.0 seconds)")
    choice = choose("How long is the video?", ["4 hours", "72.0 seconds"], told, Even, lambda _: 0.5)
    assert choice.option == "72.0 seconds" and choice.likelihoods["72.0 seconds"] > 0.9
