"""A parent of a job, as `depends_on` names it, and which of its ends counts as success.

Pure; made by `crond.model.values`.
"""

from __future__ import annotations

from typing import NamedTuple

_WANTS = {"failed": " (if it failed)", "done": " (however it ended)"}


class Dependency(NamedTuple):
    """One parent. `job` is NAME or, for root, OWNER/NAME; `want` is what counts as success: success, failed,
    done or exit, the last with `exit_code`.
    """

    job: str
    want: str = "success"
    exit_code: int | None = None

    def want_words(self) -> str:
        """Return what counts as success as it is written after the name; "" for success itself."""
        return {"success": "", "exit": f"exit={self.exit_code}"}.get(self.want, self.want)

    def words(self) -> str:
        """Return it in words."""
        if self.want == "exit":
            return f"{self.job} (if it exited with {self.exit_code})"
        return self.job + _WANTS.get(self.want, "")
