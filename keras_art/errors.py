"""What a person can mend: every room raises these, and the command line prints them as one message."""

from __future__ import annotations


class UserError(Exception):
    """What a person can mend; the message names the remedy."""
