"""An Airflow 3 DAG that audits the registry every Monday and mails what changed."""

from datetime import datetime
from pathlib import Path

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

CONFIG = Path("/srv/registry/audit.toml")


@dag(schedule="15 5 * * 1", start_date=datetime(2026, 1, 5), catchup=False, max_active_runs=1)
def guideline_audit() -> None:
    """One audit, then what changed since the one before."""

    @task
    def audit() -> list[str]:
        """Publishes the audit; a refused extract fails without another try."""
        from audit.config import read_config
        from audit.errors import UserError
        from audit.pipeline import run

        try:
            manifest = run(*read_config(CONFIG, {}))
        except UserError as error:
            raise AirflowFailException(str(error)) from error
        return [gate["gate"] for gate in manifest["gates"] if gate["status"] == "breached"]

    @task
    def message(breached: list[str]) -> str:
        """The text to send: small numbers are hidden in it."""
        from audit.config import read_config
        from audit.diff import as_text, compare

        settings, out = read_config(CONFIG, {})
        if settings.keep and (out / "earlier").is_dir():
            lines = as_text(compare(out, None), settings.small_number)
        else:
            lines = ["no audit before this one"]
        return "\n".join([*(f"gate breached: {gate}" for gate in breached), *lines])

    message(audit())


guideline_audit()
