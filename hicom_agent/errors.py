"""What can go wrong that is not a programming mistake.

HicomAgentError
├── InputError            what the user gave: exit code 2
│   ├── VideoRefused      the file may not be opened (outside the roots, not a regular file, not a video)
│   ├── VideoUnreadable   the file was opened, and nothing in it can be decoded
│   └── UnknownVideo      no indexed video has this id, path or title
├── SetupError            the machine: a model, package or program is missing, or the disk is full: exit code 3
│   └── ModelMissing      a weight file is not in the cache
├── StoreError            what is on disk: exit code 4
│   ├── StoreCorrupt      a checksum or the catalogue does not hold
│   ├── StoreTooNew       written by a newer version
│   └── StoreBusy         another process writes
└── AnswerError           the language model failed: exit code 5

A message has the value, what was expected and, if there is one, the next thing to do, in one line.
"""


class HicomAgentError(Exception):
    """Report a fault of the world in one line; `exit_code` is what the command line returns."""

    exit_code = 1

    @property
    def line(self) -> str:
        """Return the message on one line, also where a part of it came from elsewhere."""
        return " ".join(str(self).split())


class InputError(HicomAgentError):
    """Report a mistake in what the user gave."""

    exit_code = 2


class VideoRefused(InputError):
    """Report a file that the gate does not open."""


class VideoUnreadable(InputError):
    """Report a file in which nothing can be decoded."""


class UnknownVideo(InputError):
    """Report a video that the store does not know."""


class SetupError(HicomAgentError):
    """Report something missing on this machine."""

    exit_code = 3


class ModelMissing(SetupError):
    """Report a model that is not in the cache."""


class StoreError(HicomAgentError):
    """Report a store that cannot be used as it is."""

    exit_code = 4


class StoreCorrupt(StoreError):
    """Report stored bytes that are not what was written."""


class StoreTooNew(StoreError):
    """Report a store written by a newer version."""


class StoreBusy(StoreError):
    """Report a store that another process writes."""


class AnswerError(HicomAgentError):
    """Report a language model that failed."""

    exit_code = 5
