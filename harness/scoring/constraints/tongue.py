"""Tells the language of an answer: by its script, and where languages share one, by small words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

from harness.scoring.language import is_japanese

# Scripts that one language of LANGUAGES writes.
_ALONE = {
    "HANGUL": "ko",
    "THAI": "th",
    "HEBREW": "he",
    "GREEK": "el",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "MALAYALAM": "ml",
}
# Where several do: the commonest words that carry no meaning of their own.
_SMALL_WORDS = {
    "LATIN": {
        "en": "the of and to in is that it was for with as are this be on by at from or which",
        "fr": "le la les des du de et est une un dans pour que qui sur par au aux avec sont ne pas "
        "ce cette il elle nous vous en",
        "de": "der die das und ist nicht ein eine zu den von mit sich auf für dem im auch als wie "
        "werden wird",
        "es": "el la los las de y que en un una es por con para del se su como no más lo al son",
        "it": "il lo la gli di e che un una è per con del della non sono come nel alla si le più",
        "pt": "o a os as de e que um uma é em para com do da não se por dos das ao na no são mais",
        "nl": "de het een en van is dat niet op te in voor met zijn er aan ook als maar om bij",
        "fi": "ja on ei se että oli ovat joka kun niin myös mutta tai sekä hän ole kuin jotka voi "
        "sen tämä en olen jos siitä",
        "sv": "och att det som en är på för av med den till inte ett har de om var men jag så kan",
        "vi": "và của là có không được cho một những các trong với này người để khi đã từ",
        "id": "yang dan di dengan untuk dari ini itu dalam tidak adalah pada akan ke juga atau",
        "tr": "ve bir bu için ile çok daha olarak gibi ama olan var değil en kadar sonra ne",
        "pl": "i w na z się nie to jest że do jak o po co ale od za są oraz dla przez",
        "sw": "na ya wa kwa ni katika la za kuwa hii hiyo cha kama yake pia lakini ambayo",
    },
    "CYRILLIC": {
        "ru": "и в не на что с как это по но из у за от для он она они мы вы же был были или чтобы",
        "uk": "і та що в у на не з як це до за від для він вона вони ми але або є був були щоб",
        "bg": "и на да се в за от не е с са че по като това си но или ще той тя те към",
    },
    "ARABIC": {
        "ar": "في من على إلى أن لا هذا هذه التي الذي عن مع كان ما هو هي لم قد كل لماذا هل يا لأنه",
        "fa": "و در به از که این را با است برای آن یک می خود تا بر هم نیز یا ها",
        "ur": "کے کی میں ہے اور سے کا کو نے پر کہ ہیں یہ اس وہ بھی کر تو ایک نہیں",
    },
    "DEVANAGARI": {
        "hi": "है के में की और को से का हैं कि पर यह नहीं एक लिए भी था तो हो",
        "mr": "आहे आणि च्या या ते हे आहेत की मध्ये त्या एक व होते साठी नाही तर असे",
        "ne": "छ र को मा हो का पनि छन् गर्न यो लागि भएको एक गर्ने हुन्छ तथा",
    },
}
LANGUAGES = tuple(
    sorted(
        {"ja", "zh", *_ALONE.values()}.union(
            *(by_language for by_language in _SMALL_WORDS.values())
        )
    )
)
# IDEOGRAPHIC: 々; KATAKANA-HIRAGANA: ー.
_JAPANESE_SCRIPTS = ("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "CJK", "IDEOGRAPHIC")
_VOCABULARY = {
    script: {language: frozenset(words.split()) for language, words in by_language.items()}
    for script, by_language in _SMALL_WORDS.items()
}
# Letters with the marks that stand on them (Indic vowel signs, Arabic points).
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f\u064b-\u065f\u0900-\u0dff])*")


def response_language(text: str, language: str) -> bool:
    """Most letters of the answer belong to the language: a sentence or two around it in another,
    such as 以下に示します, does not matter."""
    return detect(text) == language


def detect(text: str) -> str | None:
    """The language (ISO 639-1) in which most of a text is written, one of LANGUAGES, or None."""
    scripts: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        if letter.isalpha() and (script := _script(letter)):
            scripts["JAPANESE" if script in _JAPANESE_SCRIPTS else script] += count
    if not scripts:
        return None
    main = scripts.most_common(1)[0][0]
    if main == "JAPANESE":
        # The shares of other scripts are settled; what is left to tell is Chinese.
        return "ja" if is_japanese(text, 0.0) else "zh"
    if main in _ALONE:
        return _ALONE[main]
    return _by_small_words(text, _VOCABULARY[main]) if main in _VOCABULARY else None


def _by_small_words(text: str, vocabulary: dict[str, frozenset[str]]) -> str | None:
    words = Counter(word.lower() for word in _WORD.findall(text))
    hits = Counter(
        {language: sum(words[word] for word in small) for language, small in vocabulary.items()}
    )
    (best, most), *others = hits.most_common()
    if not most or (others and others[0][1] == most):
        return None
    return best


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    """The first word of a letter's Unicode name that says its script."""
    name = unicodedata.name(letter, "").replace("HALFWIDTH ", "").replace("FULLWIDTH ", "")
    return name.partition(" ")[0]
