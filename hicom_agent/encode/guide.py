"""A question made into the words of what to look for: a sentence model compares things better than questions."""

from __future__ import annotations

import re

_BE_DO = r"(?:is|are|was|were|does|do|did|has|have|had|can|could|will|would|should)"
_FILM = r"(?:film|video|clip|footage|movie|recording|picture|scene|frame|screen)"
_WHEN = r"(?:moment|occasion|time|part|point|scene|place|clip|shot|second|minute|timestamp|frame)s?"
# each is tried in turn at the start of what is left
_OPENINGS = [
    re.compile(pattern)
    for pattern in (
        r"^(?:please|hey|ok|okay|so|and|then|now|also)\b[\s,]*",
        r"^(?:can|could|would|will) you (?:please )?",
        r"^(?:show|tell|give|find|list|name|locate|describe|search|see|spot)(?: for)?(?: me| us)?(?: all| every)?\b\s*",
        rf"^(?:the )?{_WHEN} (?:when|where|in which|with|of|that {_BE_DO})\b\s*",
        rf"^(?:in|on|at|from|during|for|since|until) (?:what|which|how many)(?: {_WHEN})?"
        rf"(?: (?:of|in|on) (?:the|this) {_FILM})?\b\s*",
        r"^how (?:many times|often|long|far|much)\b\s*",
        r"^how many\b\s*",
        r"^(?:what|which) (?:colou?r|kind of|sort of|type of|brand of)(?: of)?\b\s*",
        rf"^(?:what|which) {_WHEN}\b\s*",
        r"^(?:when|where|why|how|who|whom|whose|what|which)(?:'s|'re)?\b\s*",
        rf"^{_BE_DO}(?:n't)? (?:there|it true that|it|we see|you see|one see|i see)\b\s*",
        r"^(?:we|you|i|one) (?:can )?(?:see|watch|notice|find)\b\s*",
        rf"^{_BE_DO}(?:n't| not)?\b\s*",
        r"^there (?:is|are|was|were)?\b\s*",
        r"^(?:any|ever)\b\s*",
    )
]
_ENDINGS = [
    re.compile(pattern)
    for pattern in (
        rf"\s*\b(?:anywhere |at any (?:time|point) )?(?:in|of|on|during|throughout) (?:the|this|that) {_FILM}$",
        r"\s*\b(?:be |being )?(?:visible|seen|shown|in view|on camera|in sight|present|on (?:the )?screen)$",
        r"\s*\b(?:appear(?:s|ing)?|show up|happens?|there|exactly|first|anywhere)$",
    )
]


def guide_text(question: str) -> str:
    """Return the words of `question` that say what to look for; the question itself if none would be left.

    >>> guide_text("When does a car drive through?")
    'a car drive through'
    >>> guide_text("Is there a dog anywhere in the video?")
    'a dog'
    """
    text = re.sub(r"\s+", " ", question).strip(" ?!.\"'").lower()
    for patterns in (_OPENINGS, _ENDINGS):
        before = ""
        while before != text:
            before = text
            for pattern in patterns:
                text = pattern.sub("", text, count=1).strip()
    return text if re.search(r"\w{2}", text) else question.strip()
