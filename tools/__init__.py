"""What an agent may call, one small file each, defined once and used by every surface."""

from hicom_agent.tools.ask_video import ask_video
from hicom_agent.tools.forget_video import forget_video
from hicom_agent.tools.get_frames import get_frames
from hicom_agent.tools.index_video import find_files, index_video
from hicom_agent.tools.list_videos import list_videos
from hicom_agent.tools.search_videos import search_videos
from hicom_agent.tools.show_video import show_video

__all__ = [
    "ask_video",
    "find_files",
    "forget_video",
    "get_frames",
    "index_video",
    "list_videos",
    "search_videos",
    "show_video",
]
