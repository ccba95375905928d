"""Expansion of short prompts: the video model does best with long, detailed ones.

A writer answers a system instruction and a prompt with text. Two are here: `Endpoint` asks a server that speaks OpenAI's chat
completions, `LocalModel` runs an instruction-tuned transformers model from a folder. Never used on the frame path. A failure
raises ExpandError and changes nothing.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, Protocol

from sdv2_live.control.params import MAX_PROMPT
from sdv2_live.errors import ExpandError
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.expand")

MIN_WORDS = 20  # shorter than this is not detailed: the model refused, or rambled briefly
MAX_NEW_TOKENS = 400

INSTRUCTION = """\
You write prompts for a model that repaints live camera video of performers on a stage, frame after frame. Expand the user's \
idea into one prompt of 60 to 120 words. Name the subject as what the camera is likely to see (a person, hands, a crowd, a \
stage) and describe, concretely and visually: the artistic medium or material and its texture, colours and light, the \
background, how things move, mood, framing. Keep every element of the user's idea and add no story, no cuts, no text in the \
picture, no camera moves. Present tense, comma-separated phrases, one paragraph, English. End with: smooth continuous motion, \
steady camera. Answer with the prompt alone: no title, no quotation marks, no lists, no remarks."""

_REFUSALS = re.compile(
    r"(i['’]?m (very |so )?sorry|sorry\b|i (can ?not|can['’]t|won['’]t|am unable|am not able)|i['’]m (unable|not able)|as an ai\b"
    r"|unfortunately)",
    re.IGNORECASE,
)
_THOUGHT = r"(?:think(?:ing)?|thoughts?|reasoning)"  # as models mark what is not their answer, in either kind of brackets
_THINKING = re.compile(rf"[<\[]{_THOUGHT}[>\]].*?([<\[]/{_THOUGHT}[>\]]|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHT_ENDS = re.compile(rf"[<\[]/{_THOUGHT}[>\]]", re.IGNORECASE)  # alone where the chat's template has begun the thought
_LABEL = re.compile(r"(sure|certainly|of course|here is|here['’]s|prompt|expanded|the expanded)\b[^\n:]{0,60}:\s+", re.IGNORECASE)
_QUOTES = "\"'“”‘’«»`"


class Writer(Protocol):
    """Answers an instruction with text."""

    def write(self, instruction: str, prompt: str) -> str:
        """The answer to `prompt` under `instruction`. Raises ExpandError."""


def expand(prompt: str, writer: Writer) -> str:
    """`prompt` expanded by `writer`, one line of at most MAX_PROMPT characters.

    Raises:
        ExpandError: the writer fails, refuses, or answers with nothing that could be a detailed prompt.
    """
    prompt = _cut(clean(prompt), "the prompt")
    if not prompt:
        raise ExpandError("there is no prompt to expand; give some words")
    text = _cut(clean(writer.write(INSTRUCTION, prompt)), "the model's answer")
    if not text:
        raise ExpandError("the model's answer was empty; try again, or another model")
    if _REFUSALS.match(text):
        raise ExpandError(f"the model refused: '{text[:120]}'; word the prompt differently, or use another model")
    if len(text.split()) < MIN_WORDS:
        raise ExpandError(f"the model's answer is too short for a prompt: '{text[:120]}'; try again, or another model")
    return text


def clean(text: str) -> str:
    """The prompt alone: without thoughts, labels, Markdown, quotation marks and line breaks."""
    text = _THOUGHT_ENDS.split(_THINKING.sub(" ", text))[-1]
    text = re.sub(r"```\w*|[*#`]+", " ", text)
    text = "".join(char if char.isprintable() else " " for char in text.encode("utf-8", "replace").decode("utf-8"))
    text = " ".join(text.split())
    while len(bare := _LABEL.sub("", text, count=1) if _LABEL.match(text) else text) < len(text):
        text = bare
    return text.strip(_QUOTES + " ")


def _cut(text: str, what: str) -> str:
    """At most MAX_PROMPT characters of it; logs when that is not all."""
    if len(text) <= MAX_PROMPT:
        return text
    short = to_last_phrase(text[:MAX_PROMPT])
    log.warning("%s has %d characters, and a prompt at most %d: its first %d are taken", what, len(text), MAX_PROMPT, len(short))
    return short


def to_last_phrase(text: str) -> str:
    """A truncated text without its last, incomplete phrase."""
    end = max(text.rfind(mark) for mark in ",.;")
    return (text[:end] if end > 0 else text).rstrip()


class LocalModel:
    """An instruction-tuned causal language model in a folder, as `save_pretrained` writes it.

    Nothing is downloaded, and no code from the folder is run.
    """

    def __init__(self, folder: str, timeout_s: float) -> None:
        """Load it; the time this takes is not counted against `timeout_s`. Raises ExpandError when it cannot be used."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._timeout_s = timeout_s
        if not Path(folder).is_dir():  # else the name would be taken for one of a model on a hub
            raise ExpandError(f"--model {folder}: not a folder; give one with config.json, a tokenizer and .safetensors weights")
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model: Any = AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype="auto"
            )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise ExpandError(
                f"--model {folder}: cannot be loaded: {_brief(error)}; is it a whole causal language model?"
            ) from error
        if not self._tokenizer.chat_template:
            raise ExpandError(f"--model {folder}: has no chat template, so it is not instruction-tuned; use an 'instruct' model")
        self._model.eval()

    def write(self, instruction: str, prompt: str) -> str:
        """Generate. Raises ExpandError when the time is up first."""
        import torch

        begin = monotonic()
        try:
            inputs = self._chat(instruction, prompt).to(self._model.device)
            with torch.inference_mode():
                tokens = self._model.generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, max_time=self._timeout_s)
        except (RuntimeError, ValueError, IndexError, ImportError) as error:  # out of memory is a RuntimeError
            raise ExpandError(f"the local model failed: {_brief(error)}; try another one") from error
        if monotonic() - begin >= self._timeout_s:
            raise ExpandError(f"the local model was not done within {self._timeout_s:g} s; raise --timeout, or use a smaller one")
        new = tokens[0, inputs["input_ids"].shape[1] :]
        text = str(self._tokenizer.decode(new, skip_special_tokens=True))
        if len(new) < MAX_NEW_TOKENS:
            return text
        log.warning("the local model was stopped at %d tokens: its last whole phrase ends the prompt", MAX_NEW_TOKENS)
        return to_last_phrase(text)

    def _chat(self, instruction: str, prompt: str) -> Any:
        """The chat's tokens, (1, length), with their mask. Templates without a system role get the instruction as the user's."""
        from jinja2 import TemplateError

        system = [{"role": "system", "content": instruction}, {"role": "user", "content": prompt}]
        alone = [{"role": "user", "content": f"{instruction}\n\nThe idea: {prompt}"}]
        for messages in (system, alone):
            try:
                return self._tokenizer.apply_chat_template(
                    messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
                )
            except TemplateError as error:
                reason = _brief(error)
        raise ExpandError(f"the model's chat template failed: {reason}; use another model")


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
