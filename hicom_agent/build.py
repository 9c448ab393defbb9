"""Settings in, ready object out: the only place that knows every class. Heavy libraries load inside the methods."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicom_agent import health, profiles, screen
from hicom_agent.errors import ModelMissing
from hicom_agent.settings import Settings
from hicom_agent.types import Progress

if TYPE_CHECKING:
    from hicom_agent.agent import Agent, Writer
    from hicom_agent.encode.hicom import HIComEncoder
    from hicom_agent.encode.nano import NanoEncoder
    from hicom_agent.ingest import Indexer
    from hicom_agent.llm.loading import Loader
    from hicom_agent.llm.reader import HIComReader
    from hicom_agent.llm.reranker import Reranker
    from hicom_agent.memory import Store
    from hicom_agent.ocr import ScreenReader
    from hicom_agent.speech import Transcriber
    from hicom_agent.types import Floats, Frame, VideoInfo
    from hicom_agent.video import Limits


class Workspace:
    """Settings, store and models of one caller; a model is loaded when it is first needed, and kept."""

    def __init__(
        self,
        settings: Settings,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        *,
        waits: bool = True,
    ) -> None:
        """Make one that loads nothing yet; one that does not wait answers without a language model until it is here."""
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # onnxruntime sends events from its import on
        self.settings = settings
        self.on_progress = on_progress
        self.waits = waits
        self.wanted = ""  # the language model that the last answer went without
        self.why_not = ""  # why that is not to be had, where it is known

    def store(self, *, write: bool = False) -> Store:
        """Open the memory; use it in a `with` statement."""
        from hicom_agent.memory import Store

        return Store.open(self.settings.store, write=write, token_bytes=self.settings.token_bytes)

    def model(self, name: str) -> Path:
        """Return the folder of a model, fetched first if it is missing."""
        from hicom_agent import models

        def show(stage: str, done_bytes: int, total_bytes: int) -> None:
            if stage == "convert":
                note = f"about {known.convert_minutes} on two cores, once"
                self.on_progress(Progress(f"converting {name}", done_bytes, total_bytes, "", note))
                return
            self.on_progress(Progress(f"{stage} {name}", done_bytes, total_bytes, "bytes"))

        known = models.load_manifest()[name]
        later = not self.waits and known.optional
        return models.ensure(name, self.settings.cache, offline=self.settings.offline or later, on_progress=show)

    @property
    def threads(self) -> int:
        """Return how many CPU threads a model may use."""
        free = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return self.settings.threads or free or 1

    @cached_property
    def profile(self) -> profiles.Choice:
        """Return which encoder and language model serve, and why."""
        return profiles.choose_profile(self.settings)

    @cached_property
    def hicom(self) -> Loader | None:
        """Return the weights of hicom-7b, of which each part is read when it is needed, if that is the profile."""
        return profiles.open_hicom(self.settings) if self.profile.name == "hicom-7b" else None

    @cached_property
    def reader(self) -> HIComReader:
        """Return the language model that sees, which only profile hicom-7b has."""
        assert self.hicom is not None
        self.on_progress(Progress("loading hicom-7b", 0, 0, ""))
        return profiles.make_reader(self.hicom, self.settings.max_visual_tokens)

    @cached_property
    def encoder(self) -> NanoEncoder | HIComEncoder:
        """Return what turns frames and questions into vectors."""
        if self.hicom is not None:
            return profiles.make_encoder(self.hicom, self.model("minilm"))
        files = profiles.nano_files(self.model)
        with self._loading():
            from hicom_agent.encode.nano import NanoEncoder

            return NanoEncoder(*files, threads=self.threads)

    @cached_property
    def version(self) -> str:
        """Return the version of the encoder, which is not loaded for it."""
        if self.hicom is not None:
            return self.hicom.version
        from hicom_agent.encode.version import nano_version

        return nano_version(*profiles.nano_files(self.model))

    @contextmanager
    def _loading(self) -> Iterator[None]:
        self.on_progress(Progress(screen.LOADING, 0, 0, ""))
        yield
        self.on_progress(Progress(screen.LOADING, 1, 1, ""))

    @cached_property
    def _hears(self) -> bool:
        return self.settings.speech and profiles.is_installed("faster_whisper", "speech")

    @cached_property
    def _reads(self) -> bool:
        return self.settings.ocr and profiles.is_installed("rapidocr", "ocr")

    @cached_property
    def transcriber(self) -> Transcriber | None:
        """Return what hears speech, or None if it is switched off or not installed."""
        if not self._hears:
            return None
        from hicom_agent.speech import Transcriber

        return Transcriber(self.model("whisper-base"), threads=self.threads)

    @cached_property
    def screen_reader(self) -> ScreenReader | None:
        """Return what reads text in pictures, or None if it is switched off or not installed."""
        if not self._reads:
            return None
        from hicom_agent.ocr import ScreenReader

        return ScreenReader(threads=self.threads)

    @cached_property
    def writer(self) -> Writer:
        """Return the language model that words answers."""
        if self.hicom is not None and not self.settings.llm:
            return self.reader
        return profiles.make_writer(self.settings.llm, self.model, self.threads)

    def writer_at_hand(self) -> Writer:
        """Return the language model, or for a caller that does not wait one that declines until it is here."""
        from hicom_agent.llm.text import NoText

        try:
            return self.writer
        except ModelMissing as error:
            if self.waits:
                raise
            self.wanted = profiles.writer_model(self.settings.llm)
            self.why_not = str(error) if self.settings.offline else self.why_not
            return NoText()

    @property
    def note(self) -> str:
        """Return what the last answer went without and what to do, for an agent; nothing if it had all."""
        return profiles.tell_missing(self.wanted, self.why_not) if self.wanted else ""

    @property
    def limits(self) -> Limits:
        """Return what a video may be at most."""
        from hicom_agent.video import Limits

        return Limits(max_duration_s=self.settings.max_duration_s)

    def probe(self, path: str | Path) -> VideoInfo:
        """Return what a file is; raises VideoRefused or VideoUnreadable."""
        from hicom_agent import video

        with video.open_video(path, self.settings.roots, self.settings.max_video_bytes) as opened:
            return video.probe(opened, self.limits)

    def indexer(self, store: Store) -> Indexer:
        """Return what watches videos and writes into `store`."""
        from hicom_agent.ingest import Indexer, Models, Options

        options = Options(
            roots=self.settings.roots,
            max_bytes=self.settings.max_video_bytes,
            sample_every_s=self.settings.sample_every_s,
            ocr=self._reads,
            speech=self._hears,
            limits=self.limits,
        )
        load = lambda: Models(self.encoder, self.screen_reader, self.transcriber)  # noqa: E731
        return Indexer(store, self.version, load, options, self.on_progress)

    def agent(self, store: Store) -> Agent:
        """Return what answers questions from `store`; the language model loads when an answer needs one."""
        from hicom_agent.agent import Agent, Readers

        if self.settings.llm:
            _ = self.writer_at_hand()  # a wrong name is told before work begins, not only if an answer needs the model
        viewer = (lambda: self.reader) if self.hicom is not None else None
        rereads = self.settings.llm == profiles.PACKAGED
        plans = bool(self.settings.llm or self.hicom) and not rereads
        readers = Readers(self.writer_at_hand, viewer, rereads, self.rank)
        return Agent(store, self.encoder, readers, (lambda: self.writer) if plans else None)

    def rank(self, text: str, lines: Sequence[str]) -> Floats | None:
        """Return the log odds that lines bear on a text, [n]; None where the model for it cannot be had."""
        try:
            reranker = self._reranker
        except ModelMissing:  # the caller does not wait: it is fetched beside its calls
            self.wanted = self.wanted or profiles.RERANKER
            return None
        return reranker.score(text, lines) if reranker is not None else None

    @cached_property
    def _reranker(self) -> Reranker | None:
        return profiles.find_reranker(self.model, self.threads, waits=self.waits)

    def read_frames(self, path: str, times_s: list[float], side_px: int) -> list[Frame]:
        """Return the frames that the file at `path` shows at `times_s`."""
        from hicom_agent import video

        with video.open_video(path, self.settings.roots, self.settings.max_video_bytes) as opened:
            return video.read_frames(opened, times_s, side_px, self.limits)

    # ------------------------------------------------------------------ models and health

    def model_rows(self) -> list[dict[str, Any]]:
        """Return what `models list` prints."""
        return health.model_rows(self.settings.cache)

    def pull_models(self, names: list[str]) -> list[tuple[str, Path]]:
        """Fetch the named models, or all; return where they are."""
        return [(name, self.model(name)) for name in health.models_to_pull(self.model_rows(), names)]

    def verify_models(self, names: list[str]) -> list[dict[str, Any]]:
        """Compare files with their checksums; without names, of all models that are here."""
        return health.verify_models(self.settings.cache, names)

    def doctor(self, *, repair: bool = False) -> dict[str, Any]:
        """Return what is well and what is not: store, models, versions, GPU; repair the store first if asked."""
        return health.examine(self.settings, self.model_rows(), self.profile, repair=repair)
