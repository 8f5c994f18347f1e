"""Every public name: of the package, and of its public modules."""

from __future__ import annotations

from typing import Any

import bkjob_async as bkjob

MODULES = {name: getattr(bkjob, name) for name in ("codes", "observations", "operations", "responses")}
OF_PACKAGE: dict[str, Any] = {name: getattr(bkjob, name) for name in bkjob.__all__ if name not in MODULES}
PUBLIC: dict[str, Any] = OF_PACKAGE | {
    name: getattr(module, name) for module in MODULES.values() for name in module.__all__
}
