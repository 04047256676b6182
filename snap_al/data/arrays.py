"""NumPy's .npz and .npy files as data only: no pickles, and one kind of error for whatever is wrong
with one.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data.storage import require_regular_file


def read_arrays(source: Path | bytes) -> dict[str, NDArray[np.generic]]:
    """Arrays by name; the one of an .npy file has the name "". Raises ValueError for what is not a
    complete file of plain arrays, OSError for a file that cannot be read."""
    content = require_regular_file(source).read_bytes() if isinstance(source, Path) else source
    try:
        stored = np.load(BytesIO(content), allow_pickle=False)
        if isinstance(stored, np.ndarray):
            return {"": stored}
        with stored:
            return {name: stored[name] for name in stored.files}
    except (
        Exception
    ) as error:  # numpy, zipfile and zlib raise errors of a dozen types for damaged files
        raise ValueError(
            f"no file of NumPy's with numbers and texts: {type(error).__name__}: {error}"
        ) from error
