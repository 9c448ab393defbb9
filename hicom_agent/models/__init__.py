"""Which weights there are, where they come from, their checksums: `ensure` gives a model's folder.

A model lies in CACHE/models/NAME with a marker file that records the size and SHA-256 of each file. It is put there in
one `os.replace` after its hashes held, so a folder that is there is whole. Nothing here is ever unpickled.
"""

from __future__ import annotations

from hicom_agent.models.cache import ModelStatus, ensure, pull, status, verify
from hicom_agent.models.fetch import Progress
from hicom_agent.models.manifest import Model, WeightFile, load_manifest

__all__ = ["Model", "ModelStatus", "Progress", "WeightFile", "ensure", "load_manifest", "pull", "status", "verify"]
