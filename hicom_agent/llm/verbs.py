"""Irregular English verbs: "Did anyone bring sandwiches?" is answered by "Nobody brought any"."""

from __future__ import annotations

# a verb, then its other forms; left out is what is a common word of its own: left, found, rose, led, felt, saw, lay
_FORMS = """
bring brought; buy bought; sell sold; tell told; keep kept; sleep slept; meet met; pay paid; send sent; spend spent;
build built; lose lost; catch caught; teach taught; think thought; give gave given; take took taken; come came; go went
gone; drive drove driven; fly flew flown; write wrote written; begin began begun; break broke broken; choose chose
chosen; fall fell fallen; grow grew grown; know knew known; run ran; sing sang sung; stand stood; swim swam; throw
threw thrown; wear wore worn; win won; wake woke; eat ate eaten; drink drank; hold held; hang hung; hide hid hidden;
make made; shoot shot; speak spoke spoken; steal stole stolen; forget forgot forgotten; draw drew drawn; blow blew blown
"""
_VERBS = [entry.split() for entry in _FORMS.split(";")]
BASE = {form: verb[0] for verb in _VERBS for form in verb[1:]}
