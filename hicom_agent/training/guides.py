"""The guide of a training sample: what its last question asks, without options and without how to answer.

Source: specification of HICom, section 11. A leading "Question: " is removed as a prefix; the original strips its
letters as a set, and so eats the beginnings of some questions.
"""

from __future__ import annotations

import re

_TAGS = re.compile(r"<(?:video|image)>\n?")
_PREFIX = "Question: "
# from here on there are options
_OPTIONS = re.compile(r"\n\s*A\. |\n?\s*Options:\s*\n\s*\(A\)|\n\s*\(A\) |\n?\s*Options:\s*(?=\n|$)")
# sentences at the end that say in what form to answer
_FORM = re.compile(
    r"""\s*(?:
      (?:please\ )?(?:answer|respond|reply)\b[^.?!\n]*
        \b(?:word|words|phrase|sentence|letter|option|choices|number|yes)\b[^.?!\n]*[.!]?
    | (?:please\ )?(?:give|provide|select|choose|pick|state)\b[^.?!\n]*
        \b(?:letter|option|choices)\b[^.?!\n]*[.!]?
    | only\ give\ the\ best\ option[.!]?
    | best\ option:?\s*\(?
    | (?:your\ )?answer:
    )\s*$""",
    re.IGNORECASE | re.VERBOSE,
)


def guide_of(question: str) -> str:
    """Return the text that guides compression under a human turn; the turn without tags if nothing would be left.

    >>> guide_of("<video>\\nWhat is it?\\nA. a dog\\nB. a cat\\nAnswer with the option's letter directly.")
    'What is it?'
    >>> guide_of("Question: quiet or loud?\\nOptions:\\n(A) quiet\\n(B) loud")
    'quiet or loud?'
    """
    bare = _TAGS.sub("", question).strip()
    text = _without_form(bare)
    found = _OPTIONS.search("\n" + text)
    if found:
        text = ("\n" + text)[: found.start()].strip()
    text = _without_form(text).removeprefix(_PREFIX).strip()
    return text or bare


def _without_form(text: str) -> str:
    before = ""
    while text != before:
        before, text = text, _FORM.sub("", text).rstrip()
    return text
