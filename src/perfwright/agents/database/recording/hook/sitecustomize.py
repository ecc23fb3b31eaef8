"""Starts the recorder in each Python process of a recorded program, then hands over.

The folder of this file is first on PYTHONPATH. Whatever interpreter the program brings reads this
file, so it keeps to syntax that every Python knows; the recorder itself needs CPython 3.8.
"""

import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - loading pathlib takes longer than all of this


def _start():
    # type: () -> None
    if sys.version_info >= (3, 8) and sys.implementation.name == "cpython":
        # By name: in this process the package lies at the top, in perfwright it does not.
        __import__("_perfwright_recorder.watching").watching.start()


def _hand_over():
    # type: () -> None
    """Leave `sys.path` as the program expects it and run the environment's own sitecustomize."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _FOLDER]  # noqa: PTH100
    own = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", own)


if os.environ.get("PERFWRIGHT_RECORD_DIR"):
    _start()
if __name__ == "sitecustomize":
    _hand_over()
