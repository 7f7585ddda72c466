"""One run at a time on one folder: the lock, and that nothing of it stays behind."""

import threading
from datetime import date
from pathlib import Path

import pytest
from extracts import write_extract

from audit import outputs, pipeline
from audit.errors import UsageError
from audit.publish import publication
from audit.settings import Settings


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


def test_an_audit_replaces_what_a_link_points_to(tmp_path: Path) -> None:
    (tmp_path / "large disk" / "audits").mkdir(parents=True)
    (tmp_path / "audit").symlink_to(tmp_path / "large disk" / "audits")
    with publication(tmp_path / "audit") as folder:
        assert folder.parent == tmp_path / "large disk"
        (folder / "audit").mkdir()
        (folder / "audit" / "manifest.json").write_text("{}")
    assert (tmp_path / "audit").is_symlink()
    assert (tmp_path / "audit" / "manifest.json").read_text() == "{}"
    assert [path.name for path in (tmp_path / "large disk").iterdir()] == ["audits"]


def test_findings_that_fail_beside_the_pages_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_con: object, path: Path) -> None:
        path.touch()
        raise RuntimeError("findings")

    monkeypatch.setattr(outputs, "write_findings", fails)
    tables = {
        "patients": [{"patient_id": "P", "last_contact_date": "2023-01-01"}],
        "tumours": [
            {"tumour_id": "P", "patient_id": "P", "site_id": "H", "diagnosis_date": "2020-02-01"}
        ],
    }
    extract = write_extract(tmp_path / "extract", tables)
    asked = Settings(
        extract=extract, cutoff=date(2024, 12, 31), rules=("R03",), quality_warn_only=True
    )
    with pytest.raises(RuntimeError, match="findings"):
        pipeline.run(asked, tmp_path / "audit")
    assert [path.name for path in tmp_path.iterdir()] == ["extract"]
