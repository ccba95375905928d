"""tiny's tokenizer: pieces of words, learned from the words that name looks.

A word such as "watercolour" is one piece, so that two small layers can hear it; what was never seen falls back to parts of
words and to bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import numpy as np
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from sdv2_live.model.dit.dit import TEXT_TOKENS

from .phrases import PHRASES
from .prompts import prompt
from .styles import NAMES

PAD, END = "<pad>", "</s>"  # ids 0 and 1, as every T5 has them
WORDS = 0.5  # share of the pieces that are whole words
PLAIN = ("and", "the", "with", "from", "for")
NAMED, SPOKEN = 20, 30  # how often each phrase, and how many prompts of each look, the pieces are counted in

Tokenize = Callable[[str], list[int]]


def learn_pieces(vocab: int, seed: int = 0) -> Tokenizer:
    """A lower-case tokenizer of `vocab` pieces, words and byte-level BPE, that ends every text with END."""
    random = np.random.default_rng(seed)
    corpus = [phrase for phrases in PHRASES.values() for phrase in phrases] * NAMED
    corpus += [prompt(random, name) for name in NAMES for _ in range(SPOKEN)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    words = _naming_words(int(vocab * WORDS))
    trainer = trainers.BpeTrainer(
        vocab_size=vocab - len(words),
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    # Not more merges: those would spend most pieces on the beginnings of words.
    tokenizer.add_tokens([AddedToken(word, single_word=True, lstrip=True, normalized=True) for word in words])
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    return tokenizer


def _naming_words(count: int) -> list[str]:
    """The words that say most about looks: often in their phrases, and early in a look's list."""
    weight: Counter[str] = Counter()
    for phrases in PHRASES.values():
        for place, phrase in enumerate(phrases):
            for word in re.findall(r"[a-z]{3,}", phrase):
                weight[word] += 1 / (1 + place / 8)
    for word in PLAIN:
        del weight[word]
    return sorted(weight, key=lambda word: (-weight[word], word))[:count]


def token_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of a prompt, at most 512, the last of them END: as `umt5.TextEncoder` cuts them."""
    ids: list[int] = tokenizer.encode(text).ids
    return ids if len(ids) <= TEXT_TOKENS else [*ids[: TEXT_TOKENS - 1], ids[-1]]
