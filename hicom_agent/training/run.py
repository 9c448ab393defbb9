"""One stage of training, from a config to a checkpoint: planned, run, resumed after a kill, reported."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError
from torch.utils.data import Dataset

from hicom_agent.encode.siglip import GuideTokenizer
from hicom_agent.errors import InputError, SetupError
from hicom_agent.llm.chat import ChatFormat, load_tokenizer
from hicom_agent.training.config import TrainConfig
from hicom_agent.training.data import Talks, check_kinds, load_talks
from hicom_agent.training.model import TrainableHICom
from hicom_agent.training.output import (
    JOURNAL,
    PLOT,
    REPORT,
    RESUME,
    SKIPPED,
    TENSORBOARD,
    TrainReport,
    check_place,
    check_samples,
    clear_output,
    find_point,
    locked_output,
    look_at_output,
    read_lines,
    write_whole,
)
from hicom_agent.training.plot import draw_loss
from hicom_agent.training.samples import Broken, Sample
from hicom_agent.training.start import open_start
from hicom_agent.types import Progress

__all__ = ["Plan", "TrainReport", "plan", "train"]
LOG = logging.getLogger(__name__)

Samples = Dataset[Sample | Broken]
Show = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do."""

    stage: str
    samples: int
    skipped: dict[str, str]  # known to be broken before anything is read
    steps: int
    batch: int
    micro_batch: int
    accumulation: int
    processes: int
    parameters: dict[str, int]  # that learn, by part
    rates: dict[str, float]
    frozen: int  # parameters that stay
    changes: list[str]


@dataclass(slots=True)
class _Ready:
    """A stage before its first step."""

    trainer: Any
    model: TrainableHICom
    changes: list[str]
    skipped: dict[str, str]
    num_samples: int


def train(
    config: TrainConfig,
    dataset: Samples | None = None,
    *,
    progress: Show | None = None,
    resume: bool = True,
) -> TrainReport:
    """Train one stage and write its checkpoint to `config.output`; samples come from `dataset` or `config.data`.

    A run that was killed goes on from its last point and ends as if it had not been; one that was finished is not run
    again. With `resume` off everything starts anew. Raises InputError and SetupError.
    """
    try:
        with locked_output(config):
            return _train(config, dataset, progress or (lambda _: None), resume)
    except (OSError, SafetensorError) as error:
        raise SetupError(f"training into {config.output} stopped: {error}; the same command goes on with it") from error
    except torch.OutOfMemoryError as error:
        raise SetupError(
            f"out of memory: {str(error).splitlines()[0]}; lower micro_batch or set gradient_checkpointing: true, and "
            "start anew with --no-resume"
        ) from error
    except RuntimeError as error:
        if "inline_container" not in str(error):  # where torch.save is, which says no more than that
            raise
        raise SetupError(
            f"training into {config.output} stopped: a point to resume from cannot be written; make room on the disk, "
            "and the same command goes on with it"
        ) from error


def _train(config: TrainConfig, dataset: Samples | None, show: Show, resume: bool) -> TrainReport:
    began = time.monotonic()
    output = config.output
    going_on, done = look_at_output(config, resume)
    if done is not None:
        return done
    ready = _make_ready(config, dataset)
    if going_on:
        check_samples(config, ready.num_samples)
    else:
        clear_output(config, ready.num_samples)
    _watch(ready.trainer, config, show)
    trainer, point = ready.trainer, find_point(config, resume)
    trainer.train(resume_from_checkpoint=None if point is None else str(point))
    state = trainer.accelerator.get_state_dict(trainer.model) if trainer.is_fsdp_enabled else None
    if trainer.is_world_process_zero():
        # in the type that it was computed in: it is most of the size, and float32 would double it
        ready.model.save(output, state, torch.bfloat16 if trainer.args.bf16 else None)
    report = _report(config, ready, int(point.name.rpartition("-")[2]) if point else 0, time.monotonic() - began)
    if trainer.is_world_process_zero():
        (output / PLOT).write_bytes(draw_loss(read_lines(output / JOURNAL), f"{config.stage}: loss"))
        write_whole(output / REPORT, asdict(report))
        shutil.rmtree(output / RESUME, ignore_errors=True)
    return report


def _report(config: TrainConfig, ready: _Ready, resumed_from: int, seconds: float) -> TrainReport:
    lines = read_lines(config.output / JOURNAL)
    tail = [line["loss"] for line in lines[-max(1, len(lines) // 10) :]]
    met = {line["name"]: line["reason"] for line in read_lines(config.output / SKIPPED)}
    return TrainReport(
        stage=config.stage,
        output=str(config.output),
        steps=ready.trainer.state.global_step,
        samples=ready.num_samples,
        skipped=ready.skipped | met,
        loss_start=lines[0]["loss"] if lines else float("nan"),
        loss_end=sum(tail) / len(tail) if tail else float("nan"),
        seconds=seconds,
        resumed_from=resumed_from,
        changes=ready.changes,
        parameters=_count(ready),
    )


def plan(config: TrainConfig, dataset: Samples | None = None) -> Plan:
    """Return what `train` would do; everything is loaded and checked, nothing is written."""
    check_place(config)
    with TemporaryDirectory() as folder:  # Trainer makes one at once
        aside = config.model_copy(update={"output": Path(folder)})
        ready = _make_ready(aside, dataset)
    trainer = ready.trainer
    arguments = trainer.args
    steps = trainer.set_initial_training_values(arguments, trainer.get_train_dataloader())[-1]
    return Plan(
        stage=config.stage,
        samples=ready.num_samples,
        skipped=ready.skipped,
        steps=steps,
        batch=arguments.train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size,
        micro_batch=arguments.train_batch_size,
        accumulation=arguments.gradient_accumulation_steps,
        processes=arguments.world_size,
        parameters=_count(ready),
        rates={part: rate for part, rate in trainer.rates().items() if part in trainer.parts},
        frozen=sum(p.numel() for p in ready.model.parameters() if not p.requires_grad),
        changes=ready.changes,
    )


def _make_ready(config: TrainConfig, dataset: Samples | None) -> _Ready:
    try:
        from transformers import set_seed

        from hicom_agent.training.trainer import HIComTrainer
    except ImportError as error:
        raise SetupError(f"{error}; run: pip install 'hicom-agent[train]'") from error
    start, changes = open_start(config)
    talks, broken = ([], []) if dataset is not None else load_talks(config)
    if dataset is None:
        check_kinds(config, talks)
    arguments = _make_arguments(config)
    set_seed(config.seed)
    sharded = bool(os.environ.get("ACCELERATE_USE_FSDP"))  # by accelerate launch: it wants one type, and the CPU first
    dtype = torch.bfloat16 if arguments.bf16 and not sharded else torch.float32
    device = "cpu" if sharded or arguments.device.type == "cpu" else arguments.device
    model, changed = TrainableHICom.from_checkpoint(start, changes, device, dtype, config.vision_tower)
    parts = model.train_parts(config.stage, head_and_text=config.train_head_and_text)
    if config.gradient_checkpointing:
        model.keep_fewer_states()
    if dataset is None:
        chat = ChatFormat(load_tokenizer(start.folder, model.qwen.config))
        guides = GuideTokenizer(model.loader.tower_folder) if model.hicom.guided else None
        dataset = Talks(talks, config, chat, guides, model.tower.side_px)
    trainer = HIComTrainer(model, arguments, dataset, config, parts)
    found = {each.name: each.reason for each in broken}
    return _Ready(trainer, model, changed, found, len(dataset))  # type: ignore[arg-type]


def _make_arguments(config: TrainConfig) -> Any:
    """Return transformers' TrainingArguments of a config; this sets up the devices of all processes."""
    from transformers import TrainingArguments

    recipe, world = config.recipe, int(os.environ.get("WORLD_SIZE", "1"))
    cpu = config.device == "cpu" or not torch.cuda.is_available()
    if config.device == "cuda" and cpu:
        raise SetupError("device 'cuda': there is no GPU here; use cpu")
    if recipe.batch % world:
        raise InputError(f"batch {recipe.batch} is not divided by {world} processes; set batch to a multiple of it")
    micro = min(config.micro_batch, recipe.batch // world)
    if recipe.batch % (micro * world):
        raise InputError(f"batch {recipe.batch} is no multiple of micro_batch {micro} times {world} processes")
    try:
        arguments = TrainingArguments(
            output_dir=str(config.output / RESUME),
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=recipe.batch // (micro * world),
            learning_rate=recipe.learning_rate,
            weight_decay=config.weight_decay,
            max_grad_norm=config.max_grad_norm,
            num_train_epochs=config.epochs,
            max_steps=config.max_steps or -1,
            lr_scheduler_type="cosine",
            bf16=config.bf16 if config.bf16 is not None else not cpu,
            use_cpu=cpu,
            seed=config.seed,
            data_seed=config.seed,
            logging_steps=config.logging_steps,
            logging_first_step=True,
            save_steps=config.save_steps,
            save_total_limit=2,
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
            label_names=["labels"],
            dataloader_num_workers=config.workers,
            dataloader_pin_memory=not cpu,
            ddp_find_unused_parameters=False,
            logging_nan_inf_filter=False,
        )
    except ImportError as error:
        raise SetupError(f"{' '.join(str(error).split())}; run: pip install 'hicom-agent[train]'") from error
    if world == 1 and not cpu:
        arguments._n_gpu = 1  # several GPUs are used by torchrun, one process each
    return arguments


def _watch(trainer: Any, config: TrainConfig, show: Show) -> None:
    """Have a run logged and shown."""
    from hicom_agent.training.trainer import Journal

    arguments = trainer.args
    per_step = arguments.train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size
    trainer.add_callback(Journal(config.output / JOURNAL, per_step, show))
    if config.tensorboard and trainer.is_world_process_zero():
        trainer.add_callback(_tensorboard(config.output / TENSORBOARD))


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
        from transformers.integrations import TensorBoardCallback
    except ImportError as error:
        raise SetupError(f"{error}; run: pip install 'hicom-agent[train]', or set tensorboard: false") from error
    return TensorBoardCallback(SummaryWriter(str(folder)))


def _count(ready: _Ready) -> dict[str, int]:
    own = dict(ready.model.named_parameters())
    return {part: sum(own[name].numel() for name in names) for part, names in ready.trainer.parts.items()}
