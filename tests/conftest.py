"""A tiny random checkpoint that every engine can load: real files, made in a second."""

from __future__ import annotations

from pathlib import Path

import pytest

ALPHABET = (
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
    "がぎぐげござじずぜぞだぢづでどばびぶべぼぱぴぷぺぽアイウエオカキクケコサシスセソタチツテト"
    "日本東京大学山川人年月時分数学答問題文章世界国家経済円個倍"
    "0123456789ABCDEF+-=、。「」:#指示応入力 \n"
)
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '[' + message['role'] + ']' + message['content'] + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)


def make_checkpoint(
    path: Path,
    *,
    chat: bool = True,
    context: int = 512,
    seed: int = 0,
    heads: int = 2,
    layers: int = 2,
    width: int = 64,
) -> Path:
    """Writes a random Llama (2 layers, width 64, one token a character) to `path`.

    Weights are drawn ten times wider than usual, so that the best two logits are far apart and
    greedy answers do not hang on rounding; the end token is made unlikely, so that answers have
    a length. Heads are 32 wide because vLLM's CPU attention takes nothing narrower.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    specials = ["<unk>", "<s>", "</s>", "<pad>", "[system]", "[user]", "[assistant]"]
    tokens = specials + sorted(set(ALPHABET))
    vocabulary = {token: index for index, token in enumerate(tokens)}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    raw.decoder = decoders.Fuse()
    raw.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=specials[4:],
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
    if chat:
        tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(path)

    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokens),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads // 2,
            max_position_embeddings=context,
            initializer_range=0.2,
            bos_token_id=vocabulary["<s>"],
            eos_token_id=vocabulary["</s>"],
            pad_token_id=vocabulary["<pad>"],
            tie_word_embeddings=False,
        )
    )
    with torch.no_grad():
        model.lm_head.weight[vocabulary["</s>"]] *= 0.1
    model.save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instruction-tuned checkpoint by its looks: chat template, context of 512 tokens."""
    pytest.importorskip("transformers")
    return make_checkpoint(tmp_path_factory.mktemp("tiny") / "chat")


@pytest.fixture(scope="session")
def tiny_base_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base checkpoint: other weights, no chat template."""
    pytest.importorskip("transformers")
    return make_checkpoint(tmp_path_factory.mktemp("tiny") / "base", chat=False, seed=1)
