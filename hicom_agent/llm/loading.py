"""A HICom checkpoint on its way to a device: all names and shapes are checked first, then each part is read once.

Source: specification of HICom, sections 10 to 13; transformers names SigLIP's tensors without a level of the release.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hicom_agent.compress import HIComConfig, HIComProjector
from hicom_agent.compress.config import PREFIX, Branch, Mode
from hicom_agent.compress.projector import check_names
from hicom_agent.encode.siglip import SiglipTower, load_siglip_configs
from hicom_agent.errors import ModelMissing, SetupError
from hicom_agent.llm.checkpoint import Checkpoint

LOG = logging.getLogger(__name__)

VISION = "model.vision_tower.vision_tower.vision_model."
TEXT = "model.vision_tower.guide_encoder.text_model."
NEWLINE = "model.image_newline"
CODE_VERSION = 1  # raise when a change alters vectors

_OF_PROJECTOR = ("mm_projector_type", "use_guide", "use_clip_scale")  # keys that say which weights it has
_NOT_OF_QWEN = ("model_type", "architectures", "torch_dtype", "dtype")

Places = dict[str, tuple[nn.Module, str]]  # name in the checkpoint: module and attribute


class Loader:
    """A checkpoint that fits its config; the tower can be had without the language model."""

    def __init__(
        self,
        path: str | Path | Checkpoint,
        vision_tower: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        modes: Mapping[Branch, Mode] | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        """Read config and headers, as `HIComModel.from_pretrained` says; raises SetupError.

        `changes` replace keys of config.json. Where they make another projector, its weights that the checkpoint lacks
        start as training does, those that it has too many of are left out; `added` and `dropped` name them.
        """
        try:
            self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        except RuntimeError as error:
            raise SetupError(f"device {device!r} is none; use cpu, cuda or cuda:1") from error
        if dtype == torch.float16:
            raise SetupError("float16 overflows here; use bfloat16 or float32")
        self.dtype = dtype or (torch.bfloat16 if self.device.type == "cuda" else torch.float32)
        self.checkpoint = path if isinstance(path, Checkpoint) else Checkpoint(Path(path))
        names = list(self.checkpoint.entries)
        ours = self._change(changes or {}, [name for name in names if name.startswith(PREFIX)])
        self.config = HIComConfig.from_checkpoint(self.checkpoint.config, ours, modes)
        self.tower_folder = find_tower(self.checkpoint, vision_tower)
        self.version = f"hicom-{CODE_VERSION}-{self.checkpoint.fingerprint()}"
        vision, text = load_siglip_configs(self.tower_folder)
        if vision.hidden_size != self.config.width:
            raise SetupError(f"mm_hidden_size is {self.config.width}, but the vision tower's is {vision.hidden_size}")
        has_text = self.config.guided or any(name.startswith(TEXT) for name in names)
        with torch.device("meta"):
            select = int(self.checkpoint.config.get("mm_vision_select_layer") or -2)
            self._tower = SiglipTower(vision, text if has_text else None, select)
            self._projector = HIComProjector(self.config)
            self._qwen = _make_qwen(self.checkpoint.config)
        self._tower_places = _place_tower(self._tower)
        self._places = _place_rest(self._projector, self._qwen, numbered=PREFIX + "weight" not in names)
        self._check()
        self._has_tower = False

    def _change(self, changes: Mapping[str, Any], names: list[str]) -> list[str]:
        """Replace keys of the config; return the names of weights that decide the projector's modes."""
        before = self.checkpoint.config
        stated = [key for key in _OF_PROJECTOR if key in changes]
        self._remade = any((before.get(key) or "off") != (changes[key] or "off") for key in stated)
        self.checkpoint.config = {**before, **changes}
        self.added: list[str] = []
        self.dropped: list[str] = []
        return [] if self._remade else names

    def load_tower(self) -> SiglipTower:
        """Return the vision tower with its guide encoder, read when first asked for."""
        if not self._has_tower:
            self._fill(self._tower_places)
            for part in (self._tower.vision_tower, self._tower.guide_encoder):
                if part is not None:
                    count = part.embeddings.position_embedding.num_embeddings
                    part.embeddings.position_ids = torch.arange(count, device=self.device)[None]
            self._has_tower = True
        return self._tower.eval()

    def load_rest(self) -> tuple[HIComProjector, Any, Tensor | None]:
        """Return the projector, the language model, and the newline vector if there is one."""
        self._fill(self._places)
        self._make(self.added)
        rotary = self._qwen.model.rotary_emb
        with torch.device(self.device):
            self._qwen.model.rotary_emb = type(rotary)(self._qwen.config)
        if self._qwen.config.tie_word_embeddings:
            self._qwen.lm_head.weight = self._qwen.model.embed_tokens.weight
        newline = None
        if NEWLINE in self.checkpoint.entries:
            ((_, newline),) = self.checkpoint.read([NEWLINE], self.device)
        return self._projector.eval(), self._qwen.eval(), None if newline is None else newline.to(self.dtype)

    def _make(self, names: list[str]) -> None:
        """Give weights of the projector that are in no file the values with which training starts."""
        made = dict(HIComProjector(self.config).named_parameters()) if names else {}
        own = _place(PREFIX, self._projector)
        for name in names:
            module, leaf = own[name]
            start = made[name.removeprefix(PREFIX)].detach().to(self.device, self.dtype)
            setattr(module, leaf, nn.Parameter(start, requires_grad=False))

    def _fill(self, places: Places) -> None:
        for name, tensor in self.checkpoint.read(places, self.device):
            module, leaf = places[name]
            setattr(module, leaf, nn.Parameter(tensor.to(self.dtype), requires_grad=False))
        LOG.info("read %d tensors of %s, %s on %s", len(places), self.checkpoint.folder, self.dtype, self.device)

    def _check(self) -> None:
        places = self._tower_places | self._places
        expected = {name: tuple(getattr(module, leaf).shape) for name, (module, leaf) in places.items()}
        skipped = tuple(PREFIX + start for start in self.config.ignored)
        found = {
            name: entry.shape
            for name, entry in self.checkpoint.entries.items()
            if not name.startswith(skipped or ("\0",)) and not name.endswith((".inv_freq", ".position_ids"))
        }
        found.pop(NEWLINE, None)
        if "lm_head.weight" not in expected:
            found.pop("lm_head.weight", None)
        if self._remade:
            self.added = [name for name in expected if name.startswith(PREFIX) and name not in found]
            self.dropped = [name for name in found if name.startswith(PREFIX) and name not in expected]
            for name in self.added:
                expected.pop(name)
                self._places.pop(name)
            found = {name: shape for name, shape in found.items() if name not in self.dropped}
        check_names(expected, found)


def find_tower(checkpoint: Checkpoint, given: str | Path | None) -> Path:
    """Return the folder with the config and tokenizer of the checkpoint's vision tower.

    The checkpoint's own path is tried as it is, in its folder, beside it, and by its last part alone.
    """
    stated = str(checkpoint.config.get("mm_vision_tower") or checkpoint.config.get("vision_tower") or "")
    if given is not None:
        places = [Path(given)]
    else:
        last = Path(stated).name
        places = [checkpoint.folder / stated, checkpoint.folder / last, checkpoint.folder.parent / last, Path(stated)]
    for place in places:
        if (place / "config.json").is_file() and place.resolve() != checkpoint.folder.resolve():
            return place
    raise ModelMissing(
        f"no folder {given or stated!r} with the vision tower's config.json; name it with --vision-tower, "
        "or run: hicom-agent models pull siglip"
    )


def _make_qwen(config: Mapping[str, Any]) -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    own = {key: value for key, value in config.items() if key not in _NOT_OF_QWEN and "attn_implementation" not in key}
    if own.get("use_sliding_window"):
        LOG.warning("sliding windows are not used: prompts here are shorter")
    try:
        return Qwen2ForCausalLM(Qwen2Config.from_dict({**own, "use_sliding_window": False}))
    except Exception as error:  # noqa: BLE001 transformers has its own for each field
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SetupError(f"config.json does not describe a Qwen2 model: {first}") from error


def _place(prefix: str, root: nn.Module) -> Places:
    places = {}
    for name, _ in root.named_parameters(remove_duplicate=False):
        owner, _, leaf = name.rpartition(".")
        places[prefix + name] = root.get_submodule(owner), leaf
    return places


def _place_tower(tower: SiglipTower) -> Places:
    text = {} if tower.guide_encoder is None else _place(TEXT, tower.guide_encoder)
    return _place(VISION, tower.vision_tower) | text


def _place_rest(projector: HIComProjector, qwen: Any, *, numbered: bool) -> Places:
    own = _place(PREFIX, projector)
    if projector.config.depth == 1 and not numbered:  # a lone linear layer
        own = {name.replace(f"{PREFIX}0.", PREFIX): place for name, place in own.items()}
    words = _place("", qwen)
    if qwen.config.tie_word_embeddings:
        words.pop("lm_head.weight", None)
    return own | words
