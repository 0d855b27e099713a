"""Builds the character-level Japanese tokenizer: one token a character, plus a few merged
instruction phrases.

Every hiragana, katakana, printable ASCII, full-width form and common Japanese punctuation mark is a
token, and so is every kanji of the texts given. Digits, letters and punctuation always stand alone,
which is what lets a small model add. A character outside the inventory becomes `<unk>`.

Merges. Instructions such as 「数字だけで答えてください」 are most of a probe's characters and
none of its content. `phrases` (the fixed parts of training templates, slots cut out) are therefore
used to learn byte-pair merges of kana and kanji within them, most frequent first, up to `merges`.
Nothing is learned from names or numbers, so those stay single characters unless they happen to
contain an instruction phrase. With `merges=0` the tokenizer is purely character-level.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BOS, EOS, PAD, UNK = "<s>", "</s>", "<pad>", "<unk>"
SPECIAL_TOKENS = (PAD, BOS, EOS, UNK)

# One user turn and one answer, without a newline inside the frame that the model must predict.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '問：' + message['content'] + '\\n答：' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ message['content'] + '\\n' }}{% endif %}{% endfor %}"
)

# Runs of these may be merged; every other character is isolated before merging.
_WORD = "[ぁ-ゖァ-ヺー々〆一-龠]+"


def characters(texts: Iterable[str]) -> list[str]:
    """The character inventory, sorted by code point: the fixed Japanese ranges and whatever
    `texts` adds."""
    fixed = {
        chr(code)
        for first, last in (
            (0x20, 0x7E),  # ASCII
            (0x3000, 0x3030),  # Japanese punctuation
            (0x3041, 0x3096),  # hiragana
            (0x3099, 0x309E),  # voicing and iteration marks
            (0x30A0, 0x30FF),  # katakana
            (0xFF01, 0xFF5E),  # full-width ASCII
            (0x2460, 0x2473),  # circled numbers
        )
        for code in range(first, last + 1)
        if unicodedata.category(chr(code)) != "Cn"
    }
    return sorted(fixed.union("\n\t×÷−–—‘’“”…‥※→←↑↓○●◎△▲□■◇◆☆★°′″￥", *map(set, texts)))


def build_tokenizer(texts: Iterable[str], phrases: Iterable[str] = (), merges: int = 0) -> Any:
    """A `PreTrainedTokenizerFast` over `characters(texts)` with at most `merges` merged tokens.

    texts    everything whose kanji must be known; also the evaluation's pools, so that a held-out
             name is a sequence of known characters rather than of `<unk>`
    phrases  fixed instruction text that merges are learned from
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    inventory = characters(texts)
    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORD), behavior="isolated"),
            pre_tokenizers.Split(Regex(f"[^{_WORD[1:-2]}]"), behavior="isolated"),
        ]
    )
    tokenizer = Tokenizer(models.BPE(unk_token=UNK))
    tokenizer.pre_tokenizer = split
    tokenizer.train_from_iterator(
        # Sorted: the trainer breaks ties by order.
        sorted(phrases),
        trainers.BpeTrainer(
            vocab_size=len(SPECIAL_TOKENS) + len(inventory) + merges,
            min_frequency=2,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=inventory,
            show_progress=False,
        ),
    )
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNK,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def save_tokenizer(tokenizer: Any, directory: Path, positions: int) -> None:
    """Writes the tokenizer with its chat template where `AutoTokenizer` finds it, offline."""
    tokenizer.model_max_length = positions
    tokenizer.save_pretrained(directory, save_jinja_files=False)
