"""What a line says of a claim: a word in common is no yes."""

from __future__ import annotations

import pytest

from hicom_agent.agent.claims import Verdict, judge
from hicom_agent.agent.compose import compose
from hicom_agent.agent.evidence import Evidence
from hicom_agent.agent.plan import understand


@pytest.mark.parametrize(
    ("claim", "line", "verdict"),
    [
        ("Is the soup pumpkin?", "Tonight the soup is pumpkin with ginger.", "holds"),
        ("Is the soup tomato?", "Tonight the soup is pumpkin with ginger.", "unsettled"),
        ("Was the barrier repaired on Monday?", "The barrier was repaired on Thursday.", "otherwise"),
        ("Was the barrier repaired on Thursday?", "The barrier was repaired on Thursday.", "holds"),
        ("Is the fee 5 euros?", "Visitors: 118. Fee: 2.50 euros an hour", "otherwise"),
        ("Is the launch on 13 October?", "Launch day. 12 October. Pad 4", "otherwise"),
        ("Does the last train leave at ten?", "The last train leaves at a quarter past nine.", "otherwise"),
        ("Is the suitcase blue?", "The red suitcase stands in the cellar.", "otherwise"),
        ("Is the bridge open?", "The bridge is not open.", "otherwise"),
        ("Is the bridge open on Friday?", "The bridge is not open until Friday.", "unsettled"),
        ("Is the museum closed?", "The bridge is closed.", "unsettled"),
        ("Do children have to pay?", "Tickets: 14 euros. Children: free", "otherwise"),
        ("Do children have to pay?", "Children: 3 euros", "holds"),
        ("Did they wait for two weeks?", "They waited eleven days.", "otherwise"),
        ("Is the cat called Ginger?", "The cat is called Pepper.", "otherwise"),
        ("Does Anna water the plants?", "Every evening Oliver waters the plants.", "unsettled"),
        ("Did anyone bring sandwiches?", "Nobody brought sandwiches.", "otherwise"),
        ("Does anyone mention a doctor?", "Telephone doctor Lindgren.", "holds"),
    ],
)
def test_a_line_settles_a_claim_or_leaves_it_open(claim: str, line: str, verdict: Verdict) -> None:
    assert judge(understand(claim).about, line) == verdict


def told(question: str, line: str) -> tuple[str, bool]:
    piece = Evidence("v", "speech", 10, 12, 0.9, line, 0)
    partial = compose(understand(question), [piece], None)
    return partial.text, partial.abstained


def test_whether_is_answered_by_what_the_line_says() -> None:
    line = "The barrier was repaired on Thursday."
    assert told("Was the barrier repaired on Thursday?", line)[0].startswith("Yes, said at 00:00:10")
    assert told("Was the barrier repaired on Monday?", line)[0] == f'No, said at 00:00:10-00:00:12: "{line}"'
    assert told("Was the barrier painted?", line) == ("", True)
    limited = "The bridge is not open until Friday."
    assert told("Is the bridge open on Friday?", limited)[0] == f'It is said at 00:00:10-00:00:12: "{limited}"'


def test_what_is_only_spoken_of_is_not_there() -> None:
    assert told("Is there a boat?", "The boat leaves at nine.")[0].startswith("Not seen, but said at 00:00:10")
