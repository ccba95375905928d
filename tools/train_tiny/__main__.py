"""Train the embedded model and write its weights.

    python -m tools.train_tiny --work /tmp/tiny                          # CPU, reduced
    python -m tools.train_tiny --work /tmp/tiny --device cuda --size full   # one large GPU, under 25 minutes

Stages leave their weights in --work and are skipped when these are there; --stage NAME runs one of them again, alone. The
pictures in --work/paintings are made first: python -m tools.train_tiny.paintings --folder /tmp/tiny/paintings

Trained looks can be changed: --start unpacks a file into --work, but for the text encoder, which is to learn the new words, and
with a transformer that has yet to listen to them.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sdv2_live.config.profiles import TINY
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.load_text import EMBEDDED
from sdv2_live.model.text.umt5 import UMT5
from sdv2_live.model.vae.taehv import TAEHV

from . import parallel, pictures, styles
from .autoencoder import train_autoencoder
from .export import export, unpack
from .paintings import Paintings
from .pieces import learn_pieces
from .prompts import prompt
from .restyler import Restyler
from .settings import FULL, REDUCED, AutoencoderSettings, Settings
from .start import forget_words, start_small
from .text import embed, train_text

log = logging.getLogger("train_tiny")
STAGES = ("autoencoder", "decoder", "text", "restyler")


class Run:
    """The three models of one training run and where their weights lie."""

    def __init__(self, work: Path, settings: Settings, device: torch.device, output: Path) -> None:
        self.work, self.settings, self.device, self.output = work, settings, device, output
        work.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.autoencoder.seed)
        self.vae, self.text, self.dit = TAEHV(TINY.taehv), UMT5(TINY.text), CausalDiT(TINY.dit)
        self.tokenizer = learn_pieces(TINY.text.vocab)

    def save(self, name: str, model: nn.Module) -> None:
        """Keep a stage's weights so far."""
        part = self.work / f"{name}.part"
        torch.save(model.state_dict(), part)
        os.replace(part, self.work / f"{name}.pt")

    def load(self, name: str, model: nn.Module) -> None:
        model.load_state_dict(torch.load(self.work / f"{name}.pt", weights_only=True, map_location="cpu"))
        model.to(self.device)

    def unpack(self, file: Path) -> None:
        """Go on from the autoencoder and the transformer of a file."""
        states = unpack(file)
        self.vae.load_state_dict(states["vae"])
        self.dit.load_state_dict(states["dit"])
        forget_words(self.dit)
        for name, model in (("autoencoder", self.vae), ("decoder", self.vae), ("restyler", self.dit)):
            self.save(name, model)

    @cached_property
    def paintings(self) -> Paintings:
        return Paintings(self.work / "paintings")

    def autoencoder(self, resume: bool) -> None:
        self._coder("autoencoder", self.settings.autoencoder, resume)

    def decoder(self, resume: bool) -> None:
        """Its decoder alone: latents, and what the DiT learned of them, stay as they are."""
        self._coder("decoder", self.settings.decoder, resume)

    def _coder(self, name: str, settings: AutoencoderSettings, resume: bool) -> None:
        fresh = name == "autoencoder" and not resume
        if not fresh:
            self.load(name if resume else "autoencoder", self.vae)
        settings = replace(settings, seed=time.time_ns() % 2**31) if resume else settings
        train_autoencoder(self.vae, settings, self.device, partial(self.save, name), self.paintings, fresh)
        self.save(name, self.vae)

    def text_encoder(self, resume: bool) -> None:
        del resume  # it is quick
        probe = train_text(self.text, self.tokenizer, self.settings.text, self.device)
        self.save("text", self.text)
        self.save("probe", probe)

    def restyler(self, resume: bool) -> None:
        settings = self.settings.restyler
        if resume:  # with other clips than those that it began with
            settings = replace(settings, seed=time.time_ns() % 2**31)
        random = np.random.default_rng(settings.seed)
        prompts = {
            name: [embed(self.text, self.tokenizer, prompt(random, name)).cpu() for _ in range(settings.prompts)]
            for name in styles.NAMES
        }
        if resume:
            self.load("restyler", self.dit)
        else:
            torch.manual_seed(settings.seed)
            start_small(self.dit)
        self.vae.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        run = Restyler(self.dit, self.vae, prompts, settings, self.device, self.paintings)
        run.train(partial(self.save, "restyler"))
        self.dit.load_state_dict(run.average.model.state_dict())
        self.save("restyler", self.dit)

    def export(self) -> None:
        log.info("%s: %d bytes", self.output, export(self.dit, self.vae, self.text, self.tokenizer, self.output))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the weights of each stage")
    parser.add_argument("--output", type=Path, default=EMBEDDED, help="the file to write")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", choices=("reduced", "full"), default="reduced")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch's own choice")
    parser.add_argument("--stage", choices=STAGES, help="run this stage though its weights are there")
    parser.add_argument("--minutes", type=float, help="with --stage: its time instead of the setting's")
    parser.add_argument("--rate", type=float, help="with --stage: its highest learning rate instead of the setting's")
    parser.add_argument("--resume", action="store_true", help="with --stage: go on from its weights")
    parser.add_argument("--start", type=Path, metavar="FILE", help="only unpack a file into --work, for other looks than its own")
    parser.add_argument("--pictures", type=Path, help="a folder with further pictures (png, jpg) to train on")
    parser.add_argument("--no-compile", action="store_true", help="for machines without a C++ compiler")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    if options.threads:
        torch.set_num_threads(options.threads)
    if not options.no_compile:
        parallel.fuse()
    settings = FULL if options.size == "full" else REDUCED
    changes = {key: value for key in ("minutes", "rate") if (value := getattr(options, key)) is not None}
    if options.stage and changes:
        settings = replace(settings, **{options.stage: replace(getattr(settings, options.stage), **changes)})
    if options.pictures:
        pictures.FOLDERS.append(options.pictures)
    run = Run(options.work, settings, torch.device(options.device), options.output)
    if options.start:
        run.unpack(options.start)
        return
    models = {"autoencoder": run.vae, "decoder": run.vae, "text": run.text, "restyler": run.dit}
    stages = {"autoencoder": run.autoencoder, "decoder": run.decoder, "text": run.text_encoder, "restyler": run.restyler}
    for name, train in stages.items():
        if options.stage == name or not (options.work / f"{name}.pt").is_file():
            train(options.resume)
            if options.stage:
                return
        else:
            run.load(name, models[name])
    run.export()


if __name__ == "__main__":
    main()
