"""Language models that read text: SmolLM2 in this process, or any chat model of LangChain. Both write and score."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hicom_agent.errors import SetupError
from hicom_agent.llm.calls import Chat, said
from hicom_agent.llm.grounding import neutralise

_TAIL_TOKENS = 160  # of a prompt that is too long, its end is kept: there the question stands


@dataclass(frozen=True, slots=True)
class Draft:
    """What a language model wrote."""

    text: str
    likelihood: float  # mean probability of its tokens (geometric); 1 where the model does not tell
    num_tokens_in: int
    num_tokens_out: int


class SmallTextModel:
    """SmolLM2-135M in CTranslate2 int8: greedy, so that the same prompt gives the same words."""

    writes_freely = False  # it makes things up: let it choose among words of the evidence

    def __init__(self, folder: Path, *, threads: int = 0, max_prompt_tokens: int = 1536) -> None:
        """Load the converted model; raises SetupError if the folder or the package does not hold it."""
        try:
            import ctranslate2
            from tokenizers import Tokenizer
        except ImportError as error:
            raise SetupError(f"no package {error.name!r}; run: pip install 'hicom-agent[nano]'") from error
        try:
            self._generator = ctranslate2.Generator(str(folder), device="cpu", intra_threads=threads)
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except (RuntimeError, ValueError, OSError, Exception) as error:  # noqa: BLE001 tokenizers raises Exception itself
            raise SetupError(f"no language model in {folder}; run: hicom-agent models pull smollm2") from error
        self._special = {added.content for added in self._tokenizer.get_added_tokens_decoder().values()}
        self._max_prompt_tokens = max_prompt_tokens

    def write(self, system: str, user: str, max_tokens: int = 64) -> Draft:
        """Return the model's answer to one message."""
        prompt = self._prompt(system, user)
        result = self._generator.generate_batch(
            [prompt], max_length=max_tokens, end_token="<|im_end|>", include_prompt_in_result=False, return_scores=True
        )[0]
        ids = result.sequences_ids[0]
        return Draft(
            text=self._tokenizer.decode(ids).strip(),
            likelihood=math.exp(min(0.0, result.scores[0])) if ids else 0.0,
            num_tokens_in=len(prompt),
            num_tokens_out=len(ids),
        )

    def score(self, system: str, user: str, options: Sequence[str]) -> list[float]:
        """Return for each option the mean log-likelihood of its tokens as the answer."""
        prompt = self._prompt(system, user)
        tails = [[*self._content(option), "<|im_end|>"] for option in options]
        results = self._score([prompt + tail for tail in tails])
        return [sum(result.log_probs[-len(tail) :]) / len(tail) for result, tail in zip(results, tails, strict=True)]

    def choose(self, system: str, user: str, options: Sequence[str]) -> Draft:
        """Return the likeliest of options, such as the spans of a sentence; quick where many begin alike.

        Options that begin another one are read off it, in one pass; the best four are then scored in full.
        Raises ValueError without options.
        """
        if not options:
            raise ValueError("need at least one option")
        prompt, tokens = self._prompt(system, user), {option: self._content(option) for option in options}
        longest = [o for o in tokens if not any(other != o and other.startswith(f"{o} ") for other in tokens)]
        results = self._score([prompt + tokens[option] for option in longest])
        likely: dict[str, float] = {}
        for whole, result in zip(longest, results, strict=True):
            logs = result.log_probs[-len(tokens[whole]) :]
            for option, own in tokens.items():
                if option == whole or whole.startswith(f"{option} "):
                    likely[option] = sum(logs[: len(own)]) / max(1, len(own))
        best = sorted(likely, key=lambda option: -likely[option])[:4]
        scores = dict(zip(best, self.score(system, user, best), strict=True))
        chosen = max(best, key=lambda option: scores[option])
        return Draft(chosen, math.exp(min(0.0, scores[chosen])), len(prompt), len(tokens[chosen]))

    def opening(self, system: str, turns: Sequence[tuple[str, str]]) -> list[str]:
        """Return the tokens of a conversation so far, which is read once for all that `go_on` and `next_logits` add."""
        tokens = self._turn("system", self._content(system))
        for asked, answered in turns:
            tokens += [*self._turn("user", self._content(asked)), *self._turn("assistant", self._content(answered))]
        return tokens

    def go_on(self, opening: list[str], user: str, max_tokens: int) -> Draft:
        """Return the model's answer to one more message after an opening."""
        prompt, more = self._last(user), {"max_length": max_tokens, "end_token": "<|im_end|>", "return_scores": True}
        result = self._after(opening, prompt, **more)
        ids = result.sequences_ids[0]
        likelihood = math.exp(min(0.0, result.scores[0])) if ids else 0.0
        return Draft(self._tokenizer.decode(ids).strip(), likelihood, len(prompt), len(ids))

    def next_logits(self, opening: list[str], user: str) -> Any:
        """Return the logits [vocabulary] of the first token of the answer to one more message after an opening."""
        result = self._after(opening, self._last(user), max_length=1, return_logits_vocab=True)
        return np.asarray(result.logits[0], np.float32).reshape(-1)

    def token(self, word: str) -> int:
        """Return the number of a word's first token."""
        return int(self._tokenizer.encode(word).ids[0])

    def _after(self, opening: list[str], prompt: list[str], **more: Any) -> Any:
        # One at a time: with prompts of different lengths in a batch, CTranslate2 4.8 gives other logits.
        options = {"static_prompt": opening, "cache_static_prompt": True, "include_prompt_in_result": False}
        return self._generator.generate_batch([prompt], sampling_topk=1, **options, **more)[0]

    def _last(self, user: str) -> list[str]:
        return [*self._turn("user", self._content(user)), "<|im_start|>", *self._tokenizer.encode("assistant\n").tokens]

    def _score(self, sequences: list[list[str]]) -> Any:
        return self._generator.score_batch(sequences, max_batch_size=16, max_input_length=0)

    def _prompt(self, system: str, user: str) -> list[str]:
        head = self._turn("system", self._content(system))
        room = self._max_prompt_tokens - len(head) - 16
        body = self._content(user)
        if len(body) > room:
            tail = min(_TAIL_TOKENS, room)
            body = body[: max(0, room - tail)] + body[-tail:]
        return [*head, *self._turn("user", body), "<|im_start|>", *self._tokenizer.encode("assistant\n").tokens]

    def _turn(self, role: str, content: list[str]) -> list[str]:
        encode = self._tokenizer.encode
        return ["<|im_start|>", *encode(f"{role}\n").tokens, *content, "<|im_end|>", *encode("\n").tokens]

    def _content(self, text: str) -> list[str]:
        """Return the tokens of a text in which nothing marks a turn, whatever stands in it."""
        return [token for token in self._tokenizer.encode(_harmless(text)).tokens if token not in self._special]


class NoText:
    """Stands in for a language model that is not here yet: it declines, so that the evidence is quoted as it is."""

    writes_freely = True

    def write(self, system: str, user: str, max_tokens: int = 64) -> Draft:
        """Return nothing, which counts as declined."""
        return Draft("", 0.0, 0, 0)

    def score(self, system: str, user: str, options: Sequence[str]) -> list[float]:
        """Return the same for each option."""
        return [0.0] * len(options)

    def choose(self, system: str, user: str, options: Sequence[str]) -> Draft:
        """Return nothing, which counts as declined."""
        return Draft("", 0.0, 0, 0)


class ChatText:
    """Any chat model of LangChain, named like "ollama:qwen3" or "anthropic:claude-sonnet-4-5"."""

    writes_freely = True

    def __init__(self, name: str, *, timeout_s: float = 90.0) -> None:
        """Prepare the model; raises SetupError if its provider's package or key is missing."""
        self._chat = Chat(name, timeout_s=timeout_s)

    def write(self, system: str, user: str, max_tokens: int = 64) -> Draft:
        """Return the model's answer to one message, of about `max_tokens` at most; raises AnswerError if it fails."""
        wanted = f"{system}\n\nAnswer in at most {max(10, max_tokens * 3 // 4)} words."
        message = self._chat.ask([("system", wanted), ("human", _harmless(user))])
        usage: Any = getattr(message, "usage_metadata", None) or {}
        return Draft(said(message), 1.0, int(usage.get("input_tokens", 0)), int(usage.get("output_tokens", 0)))

    def score(self, system: str, user: str, options: Sequence[str]) -> list[float]:
        """Return log-likelihoods of the options: a chat model tells none, so 0.9 goes to the one that it chooses."""
        listed = "\n".join(f"{number}. {option}" for number, option in enumerate(options, 1))
        ask = f"{user}\n\nWhich of these is right? Answer with its number only.\n{listed}"
        numbers = re.findall(r"\d+", self.write(system, ask, 16).text)
        chosen = int(numbers[-1]) - 1 if numbers else -1
        rest = math.log(0.1 / max(1, len(options) - 1))
        if not 0 <= chosen < len(options):
            return [math.log(1 / len(options))] * len(options)
        return [math.log(0.9) if i == chosen else rest for i in range(len(options))]

    def choose(self, system: str, user: str, options: Sequence[str]) -> Draft:
        """Return the option that the model names; raises ValueError without options."""
        if not options:
            raise ValueError("need at least one option")
        scores = self.score(system, user, options)
        best = max(range(len(options)), key=lambda i: scores[i])
        return Draft(options[best], math.exp(scores[best]), 0, 0)


def _harmless(text: str) -> str:
    return "\n".join(neutralise(line) for line in text.splitlines())
