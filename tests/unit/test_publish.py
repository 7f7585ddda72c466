"""One run at a time on one folder: the lock, and that nothing of it stays behind."""

import threading
from pathlib import Path

import pytest

from audit.errors import UsageError
from audit.publish import publication


def test_a_folder_is_written_by_one_run_at_a_time_and_the_lock_goes(tmp_path: Path) -> None:
    # Runs that end just as others begin: each removes the file that the others may have opened.
    inside, most, done, refused = 0, 0, 0, 0
    count = threading.Lock()

    def runs() -> None:
        nonlocal inside, most, done, refused
        for _ in range(60):
            try:
                with publication(tmp_path / "audit") as folder:
                    with count:
                        inside += 1
                        most = max(most, inside)
                    (folder / "audit").mkdir()
                    with count:
                        inside -= 1
                        done += 1
            except UsageError:
                with count:
                    refused += 1

    threads = [threading.Thread(target=runs) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert done + refused == 6 * 60
    assert done and refused
    assert [path.name for path in tmp_path.iterdir()] == ["audit"]


def test_a_run_that_fails_leaves_neither_lock_nor_folder(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), publication(tmp_path / "audit"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
