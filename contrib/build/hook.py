"""What the build does beyond copying: compiles crond/launcher/become.c where there is a compiler.

Called by hatchling for each wheel, an editable one as well; the program lands beside its source. Without a
compiler, with one that cannot, or with CRONTABX_PURE in the environment, the wheel is one of pure Python, for
any machine; crond then forks instead.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Compile(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the compiled program to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name the machine in the wheel's tag."""
        if os.environ.get("CRONTABX_PURE") or not self._compiled():
            return
        build_data["artifacts"].append("/crond/launcher/become")
        if version == "standard":
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"

    def _compiled(self) -> bool:
        command = ["sh", os.path.join(self.root, "contrib/build/become.sh")]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            self.app.display_warning(f"crond will do without crond/launcher/become: {done.stderr.strip()}")
        return done.returncode == 0
