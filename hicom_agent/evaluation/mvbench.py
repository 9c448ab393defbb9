"""MVBench: 20 tasks of 200 questions about short clips.

As published (OpenGVLab/MVBench): `json/TASK.json`, each a list of video, question, candidates, answer (the text of one
of them), some with start and end in seconds; the videos unpack to a folder for each source below `video/`, some added
later below `data0613/`. One source is folders of frames at three a second; a later release has clips cut beforehand
in folders of other names, for which start and end no longer count.
"""

from __future__ import annotations

from pathlib import Path

from hicom_agent.evaluation.layout import Entry, find_named, read_entries
from hicom_agent.evaluation.questions import Question

_STAR, _CLEVRER, _PERCEPTION = "star/Charades_v1_480", "clevrer/video_validation", "perception/videos"
SOURCES = {
    "action_sequence": _STAR,
    "action_prediction": _STAR,
    "action_antonym": "ssv2_video",
    "fine_grained_action": "Moments_in_Time_Raw/videos",
    "unexpected_action": "FunQA_test/test",
    "object_existence": _CLEVRER,
    "object_interaction": _STAR,
    "object_shuffle": _PERCEPTION,
    "moving_direction": _CLEVRER,
    "action_localization": "sta/sta_video",
    "scene_transition": "scene_qa/video",
    "action_count": _PERCEPTION,
    "moving_count": _CLEVRER,
    "moving_attribute": _CLEVRER,
    "state_change": _PERCEPTION,
    "fine_grained_pose": "nturgbd",
    "character_order": _PERCEPTION,
    "egocentric_navigation": "vlnqa",
    "episodic_reasoning": "tvqa/frames_fps3_hq",
    "counterfactual_inference": _CLEVRER,
}
CUT = {  # sources of which an entry means a stretch, and where these lie cut out
    _STAR: "star/Charades_segment",
    "sta/sta_video": "sta/sta_video_segment",
    "tvqa/frames_fps3_hq": "tvqa/video_fps3_hq_segment",
}
CONVERTED = {"ssv2_video": "ssv2_video_mp4", "nturgbd": "nturgbd_convert"}
ROOTS = ("video", "video/data0613", "", "data0613")


def looks(folder: Path) -> bool:
    """Tell whether a folder holds this benchmark, or some tasks of it."""
    return any((folder / "json" / f"{task}.json").is_file() for task in SOURCES)


def read(folder: Path) -> list[Question]:
    """Return the questions of the tasks that are there; raises InputError."""
    questions = []
    for task in SOURCES:
        file = folder / "json" / f"{task}.json"
        entries = list(read_entries(file)) if file.is_file() else []
        questions += [_question(folder, task, number, entry) for number, entry in enumerate(entries)]
    return questions


def _question(folder: Path, task: str, number: int, entry: Entry) -> Question:
    video, options, source = entry.text("video"), entry.texts("candidates"), SOURCES[task]
    timed = source in CUT and entry.fields.get("start") is not None
    span_s = (entry.number("start"), entry.number("end")) if timed else None
    path = _find(folder, source, video, entry) or _find(folder, CONVERTED.get(source, ""), video, entry)
    if path is None and (path := _find(folder, CUT.get(source, ""), video, entry)) is not None:
        span_s = None
    return Question(
        id=f"{task}-{number}",
        video=f"{source}/{video}",
        path=path,
        text=entry.text("question"),
        options=options,
        answer=entry.option("answer", options),
        groups=(("task", task.replace("_", " ")),),
        span_s=span_s,
    )


def _find(folder: Path, source: str, video: str, entry: Entry) -> Path | None:
    if not source:
        return None
    return find_named([folder / root / source for root in ROOTS], video, entry.where)
