"""What a person can mend: every room raises these, and the command line prints them as one message."""

from __future__ import annotations

import errno


class UserError(Exception):
    """What a person can mend; the message names the remedy."""


def disk_full(error: BaseException) -> bool:
    """Whether an error, or what caused it, says that the disk is full (libraries wrap it in errors of their own)."""
    seen: BaseException | None = error
    while seen is not None:
        if getattr(seen, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
