"""Texts for language models, one per file, with `$name` where a value goes."""

from importlib.resources import files
from string import Template


def load_prompt(name: str, **values: str) -> str:
    """Return the text `name`.md with every `$key` filled in.

    Raises ValueError for an unknown name, KeyError for a value that is missing.
    """
    file = files(__name__) / f"{name}.md"
    if not file.is_file():
        raise ValueError(f"no prompt {name!r} in {__name__}")
    return Template(file.read_text(encoding="utf-8")).substitute(values)
