"""An attack on hidden counts by linear algebra, for tables too large to list every reading."""

import numpy as np

from audit.disclosure import Mark


def solved(cells, sums):
    """The hidden counts that the sums alone give away."""
    hidden = [key for key, cell in cells.items() if cell.mark is not Mark.SHOWN]
    matrix = np.array([[(k in s.parts) - (k == s.total) for k in hidden] for s in sums], float)
    _, strengths, axes = np.linalg.svd(matrix, full_matrices=False)
    known = (axes[strengths > 1e-9] ** 2).sum(axis=0)
    return {key for key, share in zip(hidden, known, strict=True) if share > 1 - 1e-6}
