"""The guide of a training sample: what its last question asks, without options and without how to answer.

Source: specification of HICom, section 11. A leading "Question: " is removed as a prefix; the original strips its
letters as a set, and so eats the beginnings of some questions.
"""

from __future__ import annotations

import re

_TAGS = re.compile(r"<(?:video|image)>\n?")
_PREFIX = "Question: "
# from here on there are options
_OPTIONS = re.compile(r"\nA\. |Options:\s?\n\(A\)|\n\(A\) |Options:(?=\n|\Z)")
# sentences at the end that say in what form to answer
_FORM = re.compile(
    r"""(?:\A|\n|(?<=[.?!:)"'])\ )(?:
      (?:please\ )?(?:answer|respond|reply)\b[^.?!\n]*
        \b(?:word|words|phrase|sentence|letter|option|choices|number|yes)\b[^.?!\n]*[.!]?
    | (?:please\ )?(?:give|provide|select|choose|pick|state)\b[^.?!\n]*
        \b(?:letter|option|choices)\b[^.?!\n]*[.!]?
    | only\ give\ the\ best\ option[.!]?
    | best\ option:?\ ?\(?
    | (?:your\ )?answer:
    )\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_FORM_CHARS = 300  # no such sentence is longer; a search of all of a long text would take hours


def guide_of(question: str) -> str:
    """Return the text that guides compression under a human turn; the turn without tags if nothing would be left.

    >>> guide_of("<video>\\nWhat is it?\\nA. a dog\\nB. a cat\\nAnswer with the option's letter directly.")
    'What is it?'
    >>> guide_of("Question: quiet or loud?\\nOptions:\\n(A) quiet\\n(B) loud")
    'quiet or loud?'
    """
    bare = _on_plain_lines(_TAGS.sub("", question))
    text = _without_form(bare)
    found = _OPTIONS.search("\n" + text)
    if found:
        text = ("\n" + text)[: found.start()].strip()
    text = _without_form(text).removeprefix(_PREFIX).strip()
    return text or bare


def _on_plain_lines(text: str) -> str:
    """Return a text without blank lines and with single blanks, which is all the same to the text encoder."""
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))


def _without_form(text: str) -> str:
    while found := _FORM.search(text, max(0, len(text) - _FORM_CHARS)):
        text = text[: found.start()].rstrip()
    return text
