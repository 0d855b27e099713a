"""Builds the character-level Japanese tokenizer: one token a character, plus a few merged
instruction phrases.

Every hiragana, katakana, printable ASCII, full-width form and common Japanese punctuation mark is a
token, and so is every kanji of the texts given. Digits, letters and punctuation always stand alone,
which is what lets a small model add. A character outside the inventory becomes `<unk>`.

Merges. Instructions such as 「数字だけで答えてください」 are most of a probe's characters and
none of its content. `phrases` (training prompts with their names cut out) are therefore used to
learn byte-pair merges, most frequent first, up to `merges`: runs of kana and kanji, the chat
template's 「問：」 and 「答：」, and a full stop with its newline. Names and numbers stay single
characters, unless a name happens to contain such a phrase. With `merges=0` the tokenizer is purely
character-level.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BOS, EOS, PAD, UNK = "<s>", "</s>", "<pad>", "<unk>"
SPECIAL_TOKENS = (PAD, BOS, EOS, UNK)

CHAT_PREFIX, CHAT_SUFFIX = "問：", "\n答："
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '問：' + message['content'] + '\\n答：' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ message['content'] + '\\n' }}{% endif %}{% endfor %}"
)

# Only what one of these matches may be merged; every other character is isolated.
_WORD = "ぁ-ゖァ-ヺー々〆一-龠"
_MERGEABLE = f"問：|\n答：|。\n(?!答：)|[{_WORD}]+|[^{_WORD}]"


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
    phrases  instructions that merges are learned from
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    inventory = characters(texts)
    tokenizer = Tokenizer(models.BPE(unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_MERGEABLE), behavior="isolated")
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
    return _wrapped(tokenizer)


def save_tokenizer(tokenizer: Any, directory: Path, positions: int) -> None:
    """Writes the tokenizer with its chat template where `AutoTokenizer` finds it, offline."""
    tokenizer.model_max_length = positions
    tokenizer.save_pretrained(directory, save_jinja_files=False)


def train_tokenizer(texts: Iterable[str], kind: str, vocabulary: int) -> Any:
    """Trains a `PreTrainedTokenizerFast` of `vocabulary` tokens on texts: "unigram" (Kudo 2018) or
    "bpe", over characters, with a token for every byte, so that no text is unknown.

    Digits stand alone and a space begins no word of its own: Japanese has none. Characters take at
    most half of the tokens; rarer ones are spelled in bytes. "bpe" is the same for the same texts;
    "unigram" is not quite (its trainer adds in no fixed order), so keep what was trained.
    """
    import json
    from collections import Counter

    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    learned = vocabulary - 256
    if kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        trainer: Any = trainers.UnigramTrainer(
            vocab_size=learned,
            special_tokens=list(SPECIAL_TOKENS),
            unk_token=UNK,
            show_progress=False,
        )
    else:
        tokenizer = Tokenizer(models.BPE(unk_token=UNK))
        trainer = trainers.BpeTrainer(
            vocab_size=learned,
            special_tokens=list(SPECIAL_TOKENS),
            show_progress=False,
        )
    # Scripts, digits and punctuation are never merged with each other.
    pattern = f"[{_WORD}]+|[A-Za-z]+|[0-9]|[^{_WORD}A-Za-z0-9]"
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    texts = list(texts)
    counted = Counter(mark for text in texts for mark in text)
    rare = {mark for mark, _ in counted.most_common()[learned // 2 :]}
    spaces = str.maketrans(dict.fromkeys(rare, "\n"))
    tokenizer.train_from_iterator((text.translate(spaces) for text in texts), trainer)
    stored = json.loads(tokenizer.to_str())
    model = stored["model"]
    model["byte_fallback"] = True
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    if kind == "unigram":
        # Below every learned piece, so that bytes are a last resort.
        lowest = min(score for _, score in model["vocab"])
        model["vocab"] += [[name, lowest - 10.0] for name in names]
    else:
        model["vocab"].update({name: len(model["vocab"]) + at for at, name in enumerate(names)})
    tokenizer = Tokenizer.from_str(json.dumps(stored))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return _wrapped(tokenizer)


def _wrapped(tokenizer: Any) -> Any:
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

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
