"""Words and pictures as a language model reads them: the chat template, with a sentinel where visual tokens go.

The same for an answer and for training: what was never seen in training is not asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicom_agent.errors import InputError, SetupError
from hicom_agent.llm.grounding import neutralise
from hicom_agent.llm.hicom import IMAGE, VIDEO

TAGS = {"video": "<video>", "image": "<image>"}
SENTINELS = {"video": VIDEO, "image": IMAGE}
IGNORED = -100  # a label without loss


class ChatFormat:
    """A tokenizer with its template; nothing in a user's text is a mark of either."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        added = [token.content for token in tokenizer.added_tokens_decoder.values()]
        self._special = sorted({*added, *tokenizer.all_special_tokens}, key=len, reverse=True)

    def prompt(self, user: str, system: str = "", *, visual: bool = False) -> list[int]:
        """Return the ids of one turn, with the sentinel before the words if clips are shown."""
        turns = [{"role": "system", "content": self.harmless(system)}] if system else []
        turns.append({"role": "user", "content": self._content(user, "video" if visual else "")})
        return self._spliced(self._render(turns, ask=True), "video" if visual else "")

    def dialogue(self, turns: Sequence[tuple[str, str]], modal: str = "") -> tuple[list[int], list[list[int]]]:
        """Return ids of (question, answer) turns, pictures before the first, and the places of each answer in them.

        An answer's places end with the mark that ends its turn. Raises InputError for a template that writes an
        earlier turn otherwise once another follows.
        """
        messages: list[dict[str, str]] = []
        ids: list[int] = []
        places: list[list[int]] = []
        before = ""  # what is done of the text
        for number, (question, answer) in enumerate(turns):
            messages.append({"role": "user", "content": self._content(question, "" if number else modal)})
            asked = self._render(messages, ask=True)
            messages.append({"role": "assistant", "content": self.harmless(answer)})
            told = self._render(messages)
            end = len(told.rstrip("\n"))
            if not told.startswith(asked) or (number and not asked.startswith(before)):
                raise InputError(
                    "the tokenizer's chat template changes earlier turns; training needs one that does not"
                )
            ids += self._spliced(asked[len(before) :], "" if number else modal)
            own = self.ids(told[len(asked) : end])
            places.append(list(range(len(ids), len(ids) + len(own))))
            ids += own
            before = told[:end]
        return ids, places

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text, marks of the template among them."""
        found: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def harmless(self, text: str) -> str:
        """Return a text in which nothing is a mark of the template or of a video, whatever stands in it."""
        lines = "\n".join(neutralise(line) for line in text.splitlines())
        for mark in (*TAGS.values(), *self._special):
            lines = lines.replace(mark, " ".join(mark))
        return lines

    def _content(self, text: str, modal: str) -> str:
        return f"{TAGS[modal]}\n{self.harmless(text)}" if modal else self.harmless(text)

    def _render(self, turns: list[dict[str, str]], *, ask: bool = False) -> str:
        text: str = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=ask)
        return text

    def _spliced(self, text: str, modal: str) -> list[int]:
        if not modal:
            return self.ids(text)
        before, after = text.split(TAGS[modal])
        return [*self.ids(before), SENTINELS[modal], *self.ids(after)]


def load_tokenizer(folder: Path, config: Any = None) -> Any:
    """Return the tokenizer of a checkpoint's folder, which has a chat template; raises SetupError."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, config=config)
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SetupError(f"no tokenizer in {folder}: {first}") from error
    if not tokenizer.chat_template:
        raise SetupError(f"the tokenizer in {folder} has no chat template; fetch the checkpoint again")
    return tokenizer
