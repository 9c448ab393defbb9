"""A cross-encoder that reads a question and a line together: how much the line bears on it, also in other words.

Vectors of a question and of a line, made apart, cannot tell "the keys are in the drawer" from an answer to "who lost
the keys?"; read together they can, at some milliseconds a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hicom_agent.errors import SetupError

if TYPE_CHECKING:
    from hicom_agent.types import Floats

MAX_TOKENS = 192  # of a question and a line: a line of a card is short, and the rest of a long one says no more


class Reranker:
    """ms-marco-MiniLM-L-12-v2 in ONNX int8 on the CPU."""

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        """Load the model; raises SetupError if the folder or the packages do not hold it."""
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise SetupError(f"no package {error.name!r}; run: pip install 'hicom-agent[nano]'") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would keep a core from others
        try:
            self._session = onnxruntime.InferenceSession(folder / "model.onnx", options, ["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # both packages raise classes of their own
            raise SetupError(f"no reranker in {folder}; run: hicom-agent models pull reranker") from error
        self._tokenizer.no_padding()  # the file asks for 512 tokens, at thirty times the cost
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def score(self, question: str, lines: Sequence[str]) -> Floats:
        """Return for each line the log odds that it bears on the question, [n], about -11 to 9.

        One by one: in int8 what is read beside a line, and how it is padded, moves its score by up to a half.
        """
        return np.array([self._score_one(question, line) for line in lines], np.float32)

    def _score_one(self, question: str, line: str) -> float:
        read = self._tokenizer.encode(question, line)
        fed = {"input_ids": read.ids, "attention_mask": read.attention_mask, "token_type_ids": read.type_ids}
        logits = self._session.run(None, {name: np.array([numbers], np.int64) for name, numbers in fed.items()})[0]
        return float(logits[0, 0])
