"""tiny's tokenizer: pieces of words, learned from the words that name looks.

A word such as "watercolour" is one piece, so that two small layers can hear it; what was never seen falls back to its bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from sdv2_live.model.dit.dit import TEXT_TOKENS

from .prompts import PHRASES, prompt
from .styles import NAMES

PAD, END = "<pad>", "</s>"  # ids 0 and 1, as every T5 has them
NAMED, SPOKEN = 20, 30  # how often each phrase, and how many prompts of each look, the pieces are counted in

Tokenize = Callable[[str], list[int]]


def learn_pieces(vocab: int, seed: int = 0) -> Tokenizer:
    """A byte-level BPE tokenizer of `vocab` pieces, lower case, that ends every text with END."""
    random = np.random.default_rng(seed)
    corpus = [phrase for phrases in PHRASES.values() for phrase in phrases] * NAMED
    corpus += [prompt(random, name) for name in NAMES for _ in range(SPOKEN)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    return tokenizer


def token_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of a prompt, at most 512, the last of them END: as `umt5.TextEncoder` cuts them."""
    ids: list[int] = tokenizer.encode(text).ids
    return ids if len(ids) <= TEXT_TOKENS else [*ids[: TEXT_TOKENS - 1], ids[-1]]
