"""The words of the page, in Japanese and English."""

from __future__ import annotations

from typing import Literal

Language = Literal["ja", "en"]
LANGUAGES: tuple[Language, Language] = ("ja", "en")
COOKIE = "language"

# key: (Japanese, English)
_WORDS: dict[str, tuple[str, str]] = {
    "title": ("ブラインド対戦", "Blind battle"),
    "nav": ("メニュー", "Menu"),
    "nav.battle": ("対戦", "Battle"),
    "nav.board": ("ランキング", "Leaderboard"),
    "nav.skip": ("本文へ移動", "Skip to content"),
    "language": ("言語", "Language"),
    "home.lead": (
        "同じ質問に、名前を伏せた2つのモデルが答えます。どちらがよいか投票すると、名前がわかります。",
        "Two models whose names are hidden answer the same prompt. Vote for the better one, and "
        "you learn who they are.",
    ),
    "home.own": ("質問を書く", "Write a prompt"),
    "home.draw": ("問題を引く", "Draw an item"),
    "home.again": ("引き直す", "Draw another"),
    "home.write": ("自分で書く", "Write your own"),
    "home.drawn": ("引いた問題", "Your item"),
    "home.suite": ("問題集", "Evalset"),
    "home.any": ("すべてのジャンル", "All genres"),
    "home.genre": ("ジャンル（任意）", "Genre (optional)"),
    "home.none": ("選ばない", "None"),
    "home.start": ("2つのモデルに聞く", "Ask two models"),
    "home.turns": ("この問題は続きがあります（全{n}問）。", "This item has {n} turns."),
    "prompt": ("質問", "Prompt"),
    "prompt.place": ("例：春の短い手紙を書いてください。", "For example: write a short letter."),
    "send.hint": ("Ctrl + Enter で送信", "Ctrl + Enter sends"),
    "you": ("あなた", "You"),
    "model.a": ("モデル A", "Model A"),
    "model.b": ("モデル B", "Model B"),
    "answers": ("2つの回答", "The two answers"),
    "turn": ("{n} 回目の質問", "Prompt {n}"),
    "genre": ("ジャンル", "Genre"),
    "waiting": ("回答を待っています", "Waiting for the answer"),
    "writing": ("回答中", "Answering"),
    "ended": ("回答が終わりました。投票できます。", "Both answers have ended. You can vote."),
    "cut": ("長さの上限で終わりました", "Ended at the length limit"),
    "blank": ("（空の回答）", "(empty answer)"),
    "lost": ("接続が切れました。つなぎ直しています。", "Connection lost. Reconnecting."),
    "more": ("続けて質問する", "Ask a follow-up"),
    "more.next": ("問題の続きを聞く", "Ask the item's next turn"),
    "more.send": ("送る", "Send"),
    "vote.title": ("どちらがよかったですか", "Which answer is better?"),
    "vote.a": ("A がよい", "A is better"),
    "vote.b": ("B がよい", "B is better"),
    "vote.tie": ("同じくらい", "Tie"),
    "vote.both_bad": ("どちらもよくない", "Both are bad"),
    "vote.wait": (
        "両方の回答が終わると投票できます。",
        "You can vote once both answers have ended.",
    ),
    "vote.keys": (
        "キーで選び、もう一度押すか Enter で投票",
        "A key chooses; pressing it again, or Enter, votes",
    ),
    "vote.once": ("投票は一度だけで、取り消せません。", "You vote once, and cannot take it back."),
    "tags": ("よかった点（任意）", "What was good (optional)"),
    "tag.correct": ("内容が正しい", "Correct"),
    "tag.natural": ("日本語が自然", "Natural Japanese"),
    "tag.followed": ("指示どおり", "Follows the instructions"),
    "tag.layout": ("読みやすい形", "Good layout"),
    "tag.concise": ("簡潔", "Concise"),
    "tag.helpful": ("役に立つ", "Helpful"),
    "comment": ("ひとこと（任意）", "Remark (optional)"),
    "voted.thanks": ("投票しました", "Your vote is counted"),
    "voted.a": ("A がよい", "A is better"),
    "voted.b": ("B がよい", "B is better"),
    "voted.tie": ("同じくらい", "a tie"),
    "voted.both_bad": ("どちらもよくない", "both are bad"),
    "voted.you": ("あなたの投票", "Your vote"),
    "voted.next": ("次の対戦へ", "Next battle"),
    "voted.board": ("ランキングを見る", "See the leaderboard"),
    "rating": ("レーティング", "Rating"),
    "rating.none": ("レーティングはまだありません", "Not rated yet"),
    "rank": ("順位", "Rank"),
    "failed.title": ("この対戦は続けられません", "This battle cannot go on"),
    "failed.text": (
        "一方のモデルが途中で答えられなくなりました。あなたの操作のせいではありません。この対戦は失敗として"
        "記録され、投票の対象にはなりません。",
        "One of the models stopped answering. It is nothing you did. The battle is recorded as "
        "failed and cannot be voted on.",
    ),
    "failed.side": ("回答が途中で終わりました", "The answer broke off"),
    "failed.next": ("別の対戦を始める", "Start another battle"),
    "board.title": ("ランキング", "Leaderboard"),
    "board.kind": ("対戦の種類", "Kind of battle"),
    "board.people": ("人の投票", "People's votes"),
    "board.judge": ("審査モデル", "Judges"),
    "board.verifier": ("検証器", "Verifiers"),
    "board.import": ("取り込み：{name}", "Imported: {name}"),
    "board.model": ("モデル", "Model"),
    "board.interval": ("95% 区間", "95% interval"),
    "board.battles": ("対戦数", "Battles"),
    "board.wins": ("勝率", "Win rate"),
    "board.genres": ("ジャンル別レーティング", "Ratings by genre"),
    "board.matrix": ("勝敗表", "Win matrix"),
    "board.matrix.note": (
        "行のモデルが列のモデルに勝った割合（引き分けは半分）。太字は 50% との差が確かなもの。",
        "How often the row beats the column, ties half. Bold: surely different from 50%.",
    ),
    "board.note": (
        "{battles} 対戦、{prompts} 種類の質問。400点差で勝ち目は10対1。"
        "順位は、区間ごと上にいるモデルの数 + 1。",
        "{battles} battles on {prompts} prompts. 400 points are odds of ten to one. Rank: 1 + the "
        "models whose whole interval is above.",
    ),
    "board.prior": (
        "対戦が少なく、このままでは有限のレーティングが求まりません。各モデルに仮想の引き分けを1つ加えた値です。",
        "There are too few battles for finite ratings: each model was given one virtual tie.",
    ),
    "board.few": ("対戦数が少なく、まだ求められません：", "Not enough battles yet: "),
    "board.empty": ("まだ対戦がありません。", "No battles yet."),
    "login.title": ("ログイン", "Log in"),
    "login.token": ("合言葉", "Token"),
    "login.lead": ("この対戦の場に入るには合言葉が必要です。", "A token is needed to take part."),
    "login.wrong": ("合言葉が違います。", "That is not the token."),
    "login.enter": ("入る", "Enter"),
    "refused.title": ("できませんでした", "That did not work"),
    "refused.back": ("対戦に戻る", "Back to the battle"),
    "refused.home": ("最初のページへ", "To the first page"),
    "refused.answering": (
        "まだ両方の回答が終わっていません。",
        "Not both answers have ended yet.",
    ),
    "refused.failed": (
        "この対戦は失敗したので、続けることも投票することもできません。",
        "This battle failed: it can be neither continued nor voted on.",
    ),
    "refused.voted": (
        "この対戦にはすでに投票しました。投票は一度だけです。",
        "You have voted on this battle already. A vote is cast once.",
    ),
    "refused.turn": ("この質問はすでに送られています。", "This prompt was sent already."),
    "refused.too-many-turns": (
        "1つの対戦でできる質問は {n} 回までです。投票してください。",
        "A battle has {n} prompts at most. Please vote.",
    ),
    "refused.empty": ("質問が空です。", "The prompt is empty."),
    "refused.too-long": (
        "質問が長すぎます。{n} 文字までにしてください。",
        "The prompt is too long: {n} characters at most.",
    ),
    "refused.tags": ("この投票の内容は読み取れません。", "This vote cannot be read."),
    "refused.again": (
        "この対戦はすでに始まっています。",
        "This battle has begun already.",
    ),
    "refused.missing": ("その対戦はありません。", "There is no such battle."),
    "refused.ticket": (
        "このフォームは使えません。ページを読み込み直して、もう一度お試しください。",
        "This form is not valid. Load the page again and repeat.",
    ),
    "refused.origin": (
        "他のサイトからの操作は受け付けません。",
        "Requests from elsewhere are refused.",
    ),
    "refused.host": ("このアドレスでは利用できません。", "This address is not served."),
    "refused.size": ("送られた内容が大きすぎます。", "What was sent is too large."),
    "refused.fast": (
        "操作が速すぎます。{n} 秒ほど待ってからお試しください。",
        "Too fast. Please wait {n} seconds.",
    ),
    "refused.busy": (
        "いまは混み合っています。少し待ってからお試しください。",
        "It is busy now. Please try again in a moment.",
    ),
    "refused.store": (
        "保存できませんでした。もう一度お試しください。何も数えられていません。",
        "It could not be saved. Please try again; nothing was counted.",
    ),
    "refused.path": ("そのページはありません。", "There is no such page."),
    "refused.method": ("その操作はできません。", "That cannot be done here."),
    "genre.writing": ("文章作成", "Writing"),
    "genre.roleplay": ("ロールプレイ", "Roleplay"),
    "genre.reasoning": ("推論", "Reasoning"),
    "genre.math": ("数学", "Math"),
    "genre.coding": ("コーディング", "Coding"),
    "genre.extraction": ("情報抽出", "Extraction"),
    "genre.stem": ("科学技術", "STEM"),
    "genre.humanities": ("人文・社会", "Humanities"),
    "genre.instruction": ("指示追従", "Instructions"),
    "genre.format": ("形式", "Format"),
}


def say(language: Language, key: str, **values: object) -> str:
    """A word or sentence; a genre without a name of its own is shown as it is."""
    if key not in _WORDS and key.startswith("genre."):
        return key.removeprefix("genre.")
    return _WORDS[key][LANGUAGES.index(language)].format(**values)


def choose_language(query: str | None, cookie: str | None, accepted: str | None) -> Language:
    """What was asked for, else what was chosen before, else the first of Accept-Language that is
    here; else Japanese."""
    for choice in (query, cookie):
        if choice in LANGUAGES:
            return choice
    ranked: list[tuple[float, str]] = []
    for part in (accepted or "").split(",")[:20]:
        name, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            weight = 0.0
        ranked.append((weight, name.lower().split("-")[0]))
    for _, name in sorted(ranked, key=lambda one: -one[0]):
        if name in LANGUAGES:
            return name
    return "ja"
