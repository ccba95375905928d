"""Checks before a show starts: the engine would notice a missing file only after seconds of importing torch."""

from __future__ import annotations

from sdv2_live.config.profiles import find_profile
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.engine.prompt_disk import PromptDisk
from sdv2_live.model.checkpoints.files import missing_text, require_painter, text_identities, unknown_prompt


def require_weights(config: Config, start: Params) -> None:
    """Check that the files exist that the show cannot start without.

    Looks at names alone. Damaged files are left to the engine, and so are choices that depend on the machine: `auto` takes the
    files that exist.

    Args:
        start: the parameters that the picture begins with; no text encoder is needed where all their prompts are encoded.

    Raises:
        WeightsError: a file is missing; the error is the one that the engine would raise.
    """
    model = config.model
    files = None if model.profile == "auto" else find_profile(model.profile, model.profiles_dir).files
    if files is None:
        return
    folder = model.weights_dir
    require_painter(model.profile, files, model.vae, folder)
    missing = missing_text(model.profile, files, folder)
    if not missing:
        return
    disk = PromptDisk(model.prompt_folder, text_identities(files)) if model.prompt_folder else None
    for prompt, _ in start.blend:
        if disk is None or not disk.has(prompt):
            raise unknown_prompt(prompt, missing)
