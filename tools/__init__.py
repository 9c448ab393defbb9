"""What an agent may call, one small file each, defined once and used by every surface."""

from hicom_agent.tools.ask_archive import ask_archive
from hicom_agent.tools.ask_video import ASK_VIDEO, ask_video
from hicom_agent.tools.definition import MAX_SECONDS, Tool
from hicom_agent.tools.filters import read_filter
from hicom_agent.tools.forget_video import forget_video
from hicom_agent.tools.get_frames import GET_FRAMES, get_frames
from hicom_agent.tools.index_job import CANCEL_JOB, INDEX_VIDEO, JOB_STATUS
from hicom_agent.tools.index_video import find_files, index_video
from hicom_agent.tools.list_videos import LIST_VIDEOS, list_videos, unfinished_videos
from hicom_agent.tools.same_file import changed_files
from hicom_agent.tools.search_videos import SEARCH_VIDEOS, find_moments, search_videos
from hicom_agent.tools.show_video import show_relevance, show_video
from hicom_agent.tools.store_admin import export_videos, import_videos, merge_stores, store_stats

# in the order in which an agent sees them
TOOLS = {
    tool.name: tool for tool in (ASK_VIDEO, SEARCH_VIDEOS, GET_FRAMES, INDEX_VIDEO, LIST_VIDEOS, JOB_STATUS, CANCEL_JOB)
}

__all__ = [
    "MAX_SECONDS",
    "TOOLS",
    "Tool",
    "ask_archive",
    "ask_video",
    "changed_files",
    "export_videos",
    "find_files",
    "find_moments",
    "forget_video",
    "get_frames",
    "import_videos",
    "index_video",
    "list_videos",
    "merge_stores",
    "read_filter",
    "search_videos",
    "show_relevance",
    "show_video",
    "store_stats",
    "unfinished_videos",
]
