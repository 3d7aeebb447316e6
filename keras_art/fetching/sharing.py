"""A folder as a repository on Hugging Face, by its own client: `pip install "keras_art[hub]"`."""

from __future__ import annotations

import re
from pathlib import Path

from keras_art.errors import UserError

REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def check(repo: str) -> None:
    """Refuses what can not be pushed, before any work.

    Args:
        repo: OWNER/NAME.

    Raises:
        UserError: the client is not installed, it is no name of a repository, or nobody has logged in.
    """
    try:
        from huggingface_hub import get_token
    except ImportError as error:
        raise UserError(f'--push needs {error.name}: pip install "keras_art[hub]"') from error
    if not REPO.fullmatch(repo) or "--" in repo or ".." in repo:
        raise UserError(f"--push {repo} is no OWNER/NAME of Hugging Face, of letters, digits, -, _ and .")
    if not get_token():
        raise UserError("--push needs a token of Hugging Face that may write: hf auth login, or $HF_TOKEN")


def push(folder: Path, repo: str) -> str:
    """Puts all files of a folder into a repository, which is made if it is not there, and then for its owner alone.

    Returns:
        Its address.

    Raises:
        UserError: Hugging Face can not be reached, or refuses; what is in the folder stays as it is.
    """
    from huggingface_hub import HfApi

    api = HfApi(library_name="keras_art")
    try:
        made = api.create_repo(repo, repo_type="model", private=True, exist_ok=True)
        api.upload_folder(repo_id=made.repo_id, folder_path=folder, commit_message="Model and card by keras_art export")
    except Exception as error:  # of several libraries, each with its own
        said = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{folder} can not be pushed to {repo} ({said[:300]}). It is whole: python -m keras_art export {folder} "
            f"--push {repo} tries again"
        ) from error
    return str(made)
