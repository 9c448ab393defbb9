"""HICom as it answers: it looks at clips compressed under the question, or reads evidence in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from hicom_agent.encode.siglip import prepare
from hicom_agent.errors import AnswerError
from hicom_agent.llm.chat import ChatFormat, load_tokenizer
from hicom_agent.llm.text import Draft
from hicom_agent.types import FrameFeatures, clean_text

if TYPE_CHECKING:
    from hicom_agent.encode.siglip import GuideTokenizer, JointPatches
    from hicom_agent.llm.hicom import HIComModel
    from hicom_agent.types import Floats, Picture

MAX_VISUAL_TOKENS = 2624  # 128 frames, of which more never helped in the paper


@dataclass(frozen=True, slots=True)
class View:
    """What the model made of clips that it looked at."""

    text: str
    likelihood: float  # mean probability of the answer's tokens (geometric)
    held: float  # probability that the clips hold the answer, as the model judges it
    num_frames: int
    num_visual_tokens: int
    num_text_tokens: int
    note: str = ""  # what had to be given up, such as frames for want of memory
    tokens: Floats | None = field(default=None, repr=False, compare=False)  # [n, hidden], made for it if any were


@dataclass(frozen=True, slots=True)
class Picked:
    """What the model made of a question with options."""

    scores: list[float]  # log-likelihood of each option as the answer
    text: str  # what it wrote
    num_visual_tokens: int
    num_text_tokens: int


class HIComReader:
    """A loaded model with its tokenizers; reads words like any language model, and looks at clips."""

    writes_freely = True

    def __init__(self, model: HIComModel, guides: GuideTokenizer, max_visual_tokens: int = MAX_VISUAL_TOKENS) -> None:
        self.model, self.max_visual_tokens = model, max_visual_tokens
        self.guides = guides
        self._tokenizer = load_tokenizer(model.folder, model.qwen.config)
        self._chat = ChatFormat(self._tokenizer)
        if self._tokenizer.eos_token_id is not None:
            model.end_ids.add(self._tokenizer.eos_token_id)

    # ------------------------------------------------------------------ words

    def write(self, system: str, user: str, max_tokens: int = 64) -> Draft:
        """Return the model's answer to one message."""
        prompt = self._prompt(user, system)
        made = self.model.write(prompt, None, max_tokens)
        return Draft(self._decode(made.ids), _mean_probability(made.log_probs), len(prompt), len(made.ids))

    def score(self, system: str, user: str, options: Sequence[str]) -> list[float]:
        """Return for each option the mean log-likelihood of its tokens as the answer."""
        return self._score(self._prompt(user, system), [self._ids(self._harmless(option)) for option in options])

    def _score(self, prompt: list[int], options: Sequence[list[int]]) -> list[float]:
        sums = self.model.score(prompt, None, options)
        return [total / len(ids) for total, ids in zip(sums, options, strict=True)]

    def choose(self, system: str, user: str, options: Sequence[str]) -> Draft:
        """Return the likeliest of options; raises ValueError without options."""
        if not options:
            raise ValueError("need at least one option")
        prompt, ids = self._prompt(user, system), [self._ids(self._harmless(option)) for option in options]
        scores = self._score(prompt, ids)
        best = max(range(len(options)), key=lambda i: scores[i])
        return Draft(options[best], math.exp(scores[best]), len(prompt), len(ids[best]))

    # ------------------------------------------------------------------ pictures

    def view(self, question: str, ask: str, check: str, clips: Sequence[FrameFeatures], max_tokens: int = 64) -> View:
        """Look at clips in time order, compressed under the bare `question`; return the answer to the message `ask`.

        Each clip is compressed for itself locally and all together globally. `check` is a message to which "Yes" means
        that the clips hold the answer. Too many frames for the budget, or for the memory of the GPU, are thinned out.
        Raises AnswerError where even a few frames do not fit.
        """
        guide = self.model.encode_guide(self.guides([question]))
        budget, short = self.max_visual_tokens, False
        while True:
            chosen = self.plan([len(clip.values) for clip in clips], budget)
            kept = [_take(clip, frames) for clip, frames in zip(clips, chosen, strict=True) if frames]
            try:
                seen = self._view(guide, ask, check, kept, max_tokens)
                note = f"GPU out of memory: only {seen.num_frames} frames were shown" if short else ""
                return replace(seen, note=note)
            except torch.cuda.OutOfMemoryError as error:
                if len(kept) == 1 and len(kept[0].values) <= 4:
                    raise AnswerError("GPU out of memory even for a few frames; use --profile nano") from error
                budget, short = budget // 2, True
            torch.cuda.empty_cache()

    def view_again(self, ask: str, check: str, tokens: Floats, max_tokens: int = 64) -> View:
        """Return what `view` does, from the tokens that it made before.

        Raises AnswerError where they do not fit into the memory of the GPU any more.
        """
        try:
            return self._read(ask, check, torch.from_numpy(tokens), 0, max_tokens)
        except torch.cuda.OutOfMemoryError as error:
            raise AnswerError(f"GPU out of memory for {len(tokens)} visual tokens; use --profile nano") from error

    def plan(self, lengths: Sequence[int], max_visual_tokens: int = 0) -> list[list[int]]:
        """Return which frames of clips of these lengths fit the budget of visual tokens; at least one window does."""
        config, side = self.model.config, self.model.tower.grid
        budget = max_visual_tokens or self.max_visual_tokens
        if config.depth:
            return spread(lengths, max(1, budget // 196), 1)
        if config.local is None:
            return [list(range(length)) for length in lengths]
        frames, rows, columns = config.local.window
        per_window = -(-side // rows) * -(-side // columns)
        left = budget - (config.whole.num_tokens if config.whole else 0)
        return spread(lengths, max(1, left // per_window), frames)

    def count_tokens(self, num_frames: int) -> int:
        """Return how many visual tokens a video of so many frames has, without newlines."""
        config, side = self.model.config, self.model.tower.grid
        if config.depth:
            return 196 * num_frames
        tokens = config.whole.num_tokens if config.whole else 0
        if config.local is not None:
            frames, rows, columns = config.local.window
            tokens += -(-num_frames // (frames if num_frames > 1 else 1)) * -(-side // rows) * -(-side // columns)
        return tokens

    # ------------------------------------------------------------------ options

    def watch(self, pictures: Sequence[Picture]) -> tuple[torch.Tensor, JointPatches]:
        """Return the features of RGB pictures that are shown as one video; raises AnswerError where they do not fit."""
        try:
            pad = self.model.config.aspect == "pad"
            pixels = prepare(pictures, self.model.tower.side_px, device=self.model.device, pad=pad)
            return self.model.encode_lazily(pixels)
        except torch.cuda.OutOfMemoryError as error:
            raise AnswerError(f"GPU out of memory for {len(pictures)} frames; show fewer") from error

    def pick(
        self,
        question: str,
        ask: str,
        watched: tuple[torch.Tensor, JointPatches],
        options: Sequence[str],
        max_tokens: int = 64,
    ) -> Picked:
        """Return what the model answers to the message `ask` about a video compressed under the bare `question`.

        Each of `options` is a text that may be the answer, such as a letter. Raises AnswerError for want of memory.
        """
        prompt, ids = self._prompt(ask, visual=True), [self._ids(option) for option in options]
        try:
            guide = self.model.encode_guide(self.guides([question])) if self.model.config.guided else None
            tokens = self.model.visual_tokens(*watched, guide)
            scores = self.model.score(prompt, tokens, ids)
            made = self.model.write(prompt, tokens, max_tokens)
        except torch.cuda.OutOfMemoryError as error:
            raise AnswerError(f"GPU out of memory for {len(watched[0])} frames; show fewer") from error
        return Picked(scores, self._decode(made.ids), len(tokens), len(prompt) + len(made.ids) - 1)

    def _view(self, guide: torch.Tensor, ask: str, check: str, clips: Sequence[FrameFeatures], max_tokens: int) -> View:
        tokens = self.model.clip_tokens([(clip.values, clip.keys) for clip in clips], guide)
        seen = self._read(ask, check, tokens, sum(len(clip.values) for clip in clips), max_tokens)
        return replace(seen, tokens=tokens.float().cpu().numpy())

    def _read(self, ask: str, check: str, tokens: torch.Tensor, num_frames: int, max_tokens: int) -> View:
        prompt = self._prompt(ask, visual=True)
        made = self.model.write(prompt, tokens, max_tokens)
        judge = self._prompt(check, visual=True)
        yes, no = self.model.score(judge, tokens, [self._ids("Yes"), self._ids("No")])
        return View(
            text=self._decode(made.ids),
            likelihood=_mean_probability(made.log_probs),
            held=1 / (1 + math.exp(no - yes)),
            num_frames=num_frames,
            num_visual_tokens=len(tokens),
            num_text_tokens=len(prompt) + len(judge) + len(made.ids) - 2,
        )

    # ------------------------------------------------------------------ prompts

    def _prompt(self, user: str, system: str = "", *, visual: bool = False) -> list[int]:
        return self._chat.prompt(user, system, visual=visual)

    def _ids(self, text: str) -> list[int]:
        return self._chat.ids(text)

    def _harmless(self, text: str) -> str:
        return self._chat.harmless(text)

    def _decode(self, ids: Sequence[int]) -> str:
        return clean_text(self._tokenizer.decode(list(ids), skip_special_tokens=True))


def spread(lengths: Sequence[int], num_windows: int, window: int = 4) -> list[list[int]]:
    """Return which frames of each clip to show, evenly spread, so that they fill at most so many windows in time.

    The longest clips give way first; where there is less than a window for each clip, only some clips are shown.

    >>> spread([8, 3], 2), spread([4, 4, 4], 1)
    ([[1, 3, 5, 7], [0, 1, 2]], [[], [0, 1, 2, 3], []])
    """
    wanted = [-(-length // window) for length in lengths]
    while sum(wanted) > max(num_windows, len(lengths)):
        wanted[max(range(len(wanted)), key=lambda i: wanted[i])] -= 1
    if num_windows < len(lengths):
        shown = {round((i + 0.5) * (len(lengths) - 1) / max(1, num_windows)) for i in range(max(1, num_windows))}
        wanted = [min(1, windows) if i in shown else 0 for i, windows in enumerate(wanted)]
    return [_evenly(length, window * windows) for length, windows in zip(lengths, wanted, strict=True)]


def _evenly(length: int, count: int) -> list[int]:
    if length <= count:
        return list(range(length))
    return [int((i + 0.5) * length / count) for i in range(count)]


def _take(clip: FrameFeatures, frames: list[int]) -> FrameFeatures:
    if len(frames) == len(clip.values):
        return clip
    return FrameFeatures(clip.values[frames], clip.keys[frames], clip.pooled[frames])


def _mean_probability(log_probs: Sequence[float]) -> float:
    return math.exp(sum(log_probs) / len(log_probs)) if log_probs else 0.0
