"""transformers' Trainer with HICom's groups of rates, small points to resume from, and what a person watches."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from hicom_agent.errors import InputError
from hicom_agent.training.config import TrainConfig
from hicom_agent.training.output import SKIPPED, WHOLE
from hicom_agent.training.samples import collate
from hicom_agent.training.saving import load_trained, save_trained
from hicom_agent.types import Progress

LOG = logging.getLogger(__name__)

WEIGHTS = "trained.safetensors"  # in the folder of a point to resume from


class HIComTrainer(Trainer):  # type: ignore[misc]
    """Trains the parts of a `TrainableHICom` at their own rates; notes broken samples as it meets them."""

    def __init__(
        self,
        model: nn.Module,
        arguments: TrainingArguments,
        dataset: Any,
        config: TrainConfig,
        parts: Mapping[str, list[str]],
    ) -> None:
        super().__init__(model=model, args=arguments, data_collator=collate, train_dataset=dataset)
        self.remove_callback(PrinterCallback)
        self.parts, self.train_config = parts, config
        self.skipped: dict[str, str] = {}

    def rates(self) -> dict[str, float]:
        """Return the learning rate of each part."""
        own = self.train_config.recipe.learning_rate
        conditions = self.train_config.stage == "condition"
        return {
            "projector": own,
            "injector": self.train_config.injector_learning_rate if conditions else own,
            "language_model": own,
            "head_and_text": self.train_config.head_and_text_learning_rate,
        }

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Return AdamW over the parts that learn, each at its rate."""
        if getattr(self, "optimizer", None) is None:
            own = {_bare(name): parameter for name, parameter in (model or self.model).named_parameters()}
            groups = [
                {"params": [own[name] for name in names], "lr": self.rates()[part]}
                for part, names in self.parts.items()
            ]
            self.optimizer = torch.optim.AdamW(groups, weight_decay=self.args.weight_decay)
        made: torch.optim.Optimizer = self.optimizer
        return made

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Return a cosine after a share of the steps; rounded down, or a run of one step would learn nothing."""
        self.args.warmup_steps = int(self.train_config.warmup * num_training_steps)
        made: torch.optim.lr_scheduler.LRScheduler = super().create_scheduler(num_training_steps, optimizer)
        return made

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Note the broken samples of a batch, and learn from the others."""
        for name, reason in inputs.pop("skipped", ()):
            if name not in self.skipped:
                LOG.warning("%s is skipped: %s", name, reason)
                self.skipped[name] = reason
                with (self.train_config.output / SKIPPED).open("a") as file:  # by all processes, line by line
                    file.write(json.dumps({"name": name, "reason": reason}) + "\n")
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        return loss

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Write what is trained, without what stays as it was."""
        if not self.args.should_save:
            return
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        own = self._trained() if state_dict is None else {n: state_dict[n] for n in self._names()}
        save_trained(folder / WEIGHTS, own)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        """Read what `_save` wrote; a sharded model reads its own shards."""
        if self.is_fsdp_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            load_trained(Path(resume_from_checkpoint) / WEIGHTS, self._trained())

    def _names(self) -> list[str]:
        return [name for names in self.parts.values() for name in names]

    def _trained(self) -> dict[str, Tensor]:
        own = {_bare(name): parameter for name, parameter in self.model.named_parameters()}
        return {name: own[name] for name in self._names()}


class Journal(TrainerCallback):  # type: ignore[misc]
    """Writes each logged step as a line, marks points to resume from as whole, and tells how far the run is."""

    def __init__(self, file: Path, samples_per_step: int, show: Callable[[Progress], None]) -> None:
        self._file, self._samples, self._show = file, samples_per_step, show
        self._began, self._first, self._loss = time.monotonic(), 0, ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self._began, self._first = time.monotonic(), state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Write one line, if it is about a step; raises InputError where nothing can be learned any more."""
        if logs and not isfinite(logs.get("loss", 0.0)):
            raise InputError(
                f"the loss is {logs['loss']} at step {state.global_step}; lower learning_rate, and start anew with "
                "--no-resume"
            )
        if not state.is_world_process_zero or not logs or "loss" not in logs:
            return
        seconds = time.monotonic() - self._began
        line = {
            "step": state.global_step,
            "epoch": state.epoch,
            "loss": logs["loss"],
            "grad_norm": logs.get("grad_norm"),
            "learning_rate": logs.get("learning_rate"),
            "samples": state.global_step * self._samples,
            "seconds": round(seconds, 3),
        }
        with self._file.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._loss = f"loss {logs['loss']:.4f}"

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Show steps, samples a second and the last loss.

        The last step is logged in any case. After it no point to resume from is written: the checkpoint comes next,
        and Trainer would go on from there for one step too many.
        """
        if state.global_step >= state.max_steps:
            control.should_save, control.should_log = False, True
        if state.is_world_process_zero:
            seconds = max(1e-6, time.monotonic() - self._began)
            rate = (state.global_step - self._first) * self._samples / seconds
            note = ", ".join(filter(None, [self._loss, f"{rate:.1f} samples/s"]))
            self._show(Progress("training", state.global_step, state.max_steps, "steps", note))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the newest point to resume from as whole: a killed run leaves half a one."""
        if state.is_world_process_zero:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()


def _bare(name: str) -> str:
    return name.replace("_fsdp_wrapped_module.", "").replace("_checkpoint_wrapped_module.", "").removeprefix("module.")
