"""What the filters of synthesis look for in a text: the words and signs, each with its reason."""

from __future__ import annotations

import re

# ------------------------------------------------------------------ what a question asks for

# The question wants the answer alone, so that a bare answer obeys it.
ASKS_BARE = re.compile(
    r"(?:だけ|のみ|一語|一言|ひとこと|単語|[0-9一二三四五六七八九十]+(?:文字|字)(?:以内)?)"
    r"(?:を|で|に|と|の形で|にして)?(?:、)?(?:そのまま)?[^。\n]{0,12}?"
    r"(?:答え|こたえ|書|出力|回答|返|示|抜き出|入力|述べ|選|記入|教え|表示|判定|知らせ|報告|並べ|とし)"
    r"|(?:答え|回答|結果|出力)[^。\n]{0,10}(?:だけ|のみ)(?:です|で|を|に|と)?"
    r"|以外(?:の文字)?は(?:書|出力|答え)|[1一]行に[1一](?:つ|人|個|語)ずつ|半角数字で"
    r"|説明(?:や[^。\n]{1,8})?は(?:不要|要りません|いりません|書かない)"
)
# A symbol, a number or はい and いいえ is asked for, if not alone.
ASKS_LABEL = re.compile(
    r"(?:記号|番号|選択肢|アルファベット|英字|文字)(?:一つ|ひとつ|1つ)?(?:で|を)"
)
# Its options are named A, B, C, so that an answer may begin with one.
HAS_OPTIONS = re.compile(r"(?m)(?:^|[\s、,(（「])[AaＡ1①アあ][.:)．：）、\s]")
# A style other than です・ます.
ASKS_PLAIN = re.compile(
    r"だ・?である|である調|常体|普通体|タメ口|ため口|タメ語|くだけた|砕けた|敬語(?:を使わ|なし|は使わ|ではなく)"
    r"|体言止め|箇条書き|口語体|文語|方言|[関大京広博土名東北]?[西阪都島多佐古屋北]弁|友(?:だち|達|人)(?:に話す|口調|のよう)"
    r"|(?:そのまま|書かれているとおりに?)(?:抜き出|引用|写)|言い換え|書き(?:換|直)|要約"
)
ASKS_CREATIVE = re.compile(
    r"小説|物語|短編|童話|詩|俳句|川柳|短歌|歌詞|脚本|台本|日記|エッセイ|随筆|記事|論文|レポート|報告書"
    r"|論説|新聞|タイトル|題名|見出し|キャッチコピー|スローガン|標語|プロット|あらすじ|セリフ|台詞"
)
ASKS_FOREIGN = re.compile(
    r"英語|英訳|英文|英単語|和英|中国語|中文|韓国語|ハングル|フランス語|仏訳|ドイツ語|独訳|スペイン語"
    r"|イタリア語|ロシア語|ポルトガル語|ラテン語|ローマ字|アルファベット|外国語|翻訳|訳し|[Tt]ranslat|English"
)
ASKS_KATAKANA = re.compile(r"カタカナ|片仮名|かたかな|読み|よみ|ふりがな|外来語|名前|名称|逆から")
# Who speaks casually. A character of this list, or a manner of speaking, frees roleplay from
# です・ます.
CASUAL = re.compile(
    r"友(?:だち|達|人)|親友|幼なじみ|タメ口|ため口|くだけた|砕けた|口調|方言|弁で|弁を|なまり|侍|武士|殿様|武将"
    r"|将軍|王様|国王|女王|海賊|忍者|魔王|魔女|魔法使い|勇者|騎士|老人|おじい|おばあ|爺|婆|子ども|子供|こども"
    r"|小学生|中学生|高校生|少年|少女|弟|妹|兄|姉|父|母|親父|おやじ|祖父|祖母|職人|頑固|ぶっきらぼう|無愛想"
    r"|無口|乱暴|荒っぽ|ツンデレ|ギャル|ヤンキー|不良|猫|ねこ|犬|いぬ|狐|動物|ロボット|宇宙人|妖怪|幽霊|鬼|神"
    r"|主人公|悪役|俺|オレ|なりき|フレンドリー|気さく|陽気|江戸っ子|漁師|大将|番長|博士|探偵|casual"
)

# ------------------------------------------------------------------ refusals and leaks

# Who wrote it. Allowed where the question itself is about it.
SELF = re.compile(
    r"(?:AI|ＡＩ|人工知能)(?:言語)?(?:アシスタント|モデル)?(?:として(?:の私|は|、|，|お)|なので|ですので|ですから|である私|のため、)"
    r"|(?:私|わたし|僕|当方)は(?:、)?(?:AI|ＡＩ|人工知能|大規模言語モデル|言語モデル|チャットボット|プログラム(?:です|なので))"
    r"|(?:大規模)?言語モデル(?:として|なので|である|です)|言語モデル|(?:私|わたし)の学習データ|学習データ(?:に含まれ|の期限|の範囲)|(?:知識|情報)の(?:カットオフ|期限)"
    r"|[Aa]s an? (?:AI|artificial|large language|language model)|I am an AI|I'm an AI"
    r"|language model|ChatGPT|GPT-?[345]|OpenAI|Anthropic"
    r"|\bClaude\b(?! (?:Monet|Debussy|Shannon|Bernard))|\bGemini\b|\bGemma\b|\bLLaMA\b"
    r"|\bLlama[ -]?[0-9]|\bQwen|通義千問|DeepSeek|\bMistral\b|\bMixtral\b|\bCopilot\b|SmolLM"
    r"|\bGrok\b|ELYZA"
)
# Apologies that refuse. In letters and on a stage people apologise as well.
APOLOGY = re.compile(
    r"^[\s「]*(?:大変|誠に)?(?:申し訳(?:ありません|ございません|ないのです)が|すみませんが|恐れ入りますが|残念ながら、?(?:私|その|この))"
)
REFUSAL = re.compile(
    r"(?:お答え|回答|お手伝い|対応|お応え|ご案内|提供|支援|作成|生成|執筆)(?:する|を提供する)?(?:こと)?(?:は|が|に(?:は)?)?"
    r"(?:でき(?:ません|かねます|ない(?:の|こと))|いたしかねます|致しかねます|しかねます|差し控え)"
    r"|お力になれません|(?:ご要望|ご質問|ご依頼|リクエスト)には?(?:お応え|お答え|沿|添)[^。]{0,6}(?:ません|かね)"
    r"|(?:リアルタイム|最新)の?(?:情報|データ)(?:に(?:は)?アクセス|を(?:取得|提供))[^。]{0,8}(?:できません|できない)"
    r"|I(?:'m| am) sorry|I (?:cannot|can't|can not|am unable)"
)
THOUGHTS = re.compile(
    r"</?(?:think|thinking|thought|reasoning|scratchpad|answer)>|<\|[a-z_0-9]+\|>|\[/?INST\]|<</?SYS>>"
    r"|</?s>|<(?:bos|eos|pad|unk|(?:start|end)_of_turn)>|<｜[^｜]{1,20}｜>"
)
LEAK = re.compile(
    r"以下(?:は|が|に)[^。\n]{0,20}(?:質問と回答|質問と答え|質問文と|Q&A|問題と解答|対話例|会話例)"
    r"|(?:質問|問題)と(?:回答|答え|解答)を(?:作成|生成|出力|作り)(?:しま|いたしま|します)"
    r"|(?:ご指示|ご要望|ご依頼|指示|指定(?:された)?条件|与えられた(?:役割|設定|キーワード|ペルソナ|条件))(?:に|を)"
    r"(?:従|沿|基づ|もとづ|踏まえ)[^。\n]{0,10}(?:作成|生成|回答|出力|書き|お答え)(?:しま|いたしま|します)"
    r"|ペルソナ|システムプロンプト|[Ss]ystem prompt"
    r"|(?m:^#{1,4} ?(?:指示|入力|応答|出力|回答|質問"
    r"|[Ii]nstruction|[Rr]esponse|[Ii]nput|[Oo]utput)[:：]?\s*$)"
    r"|(?m:^(?:ユーザー|アシスタント|[Uu]ser|[Aa]ssistant|[Hh]uman)[:：])"
)
# A heading before an answer that shows how the teacher was asked.
HEADING = re.compile(
    r"^\s*(?:\*\*)?(?:Q|A|Ａ|Ｑ|質問|回答|解答例|回答例|[Aa]nswer)[ 　]*(?:\*\*)?[.:：．][ 　]*"
)

# ------------------------------------------------------------------ blunt answers

# A letter, digit or kana that names an option, with or without signs around it.
LABEL = re.compile(
    r"(?:(?:答え|正解|回答|解答|A|Ａ)(?:は|[:：.．])?\s*)?[(（「【]?"
    r"(?:[A-Za-zＡ-Ｚａ-ｚ]|[0-9０-９]{1,2}|[ア-オあ-お]|[①-⑩])[)）」】]?[.．。、:：]?"
)
KATAKANA_ONLY = re.compile(r"[ァ-ヶー・ｦ-ﾟ゙゚\s]+")
# Structures that are no sentences and need none.
STRUCTURED = re.compile(r"```|~~~|^\s*[{\[|]|\n\s*(?:[-*・●]|[0-9]+[.)．、])|\n.*\n", re.S)

# ------------------------------------------------------------------ broken text

# UTF-8 read as Shift_JIS (縺薙ｓ縺ｫ縺｡縺ｯ) or as Latin-1 or Windows-1252 (ã“ã‚“, Ã©).
MOJIBAKE = re.compile(
    "\ufffd|[縺繧繝].{1,4}[縺繧繝]"
    r"|(?:ã[\u0080-\u00bf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ ]{1,2}){2}"
    r"|Ã[\u0080-\u00bf©¨¤¶¼]|â€[œ™\u009d“”˜]"
)
CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"
    "\ue000-\uf8ff]"
)
HTML = re.compile(
    r"&(?:nbsp|amp|lt|gt|quot|#[0-9]+);|</?(?:div|span|p|font|table|td|tr|body|html)\b[^>]*>"
)
# Where a text cannot end: a comma, an opening bracket; and, but for verse and letters (田中より),
# particles and forms that go on.
OPEN = re.compile(r"[、，,「『（(【〈・]\Z")
CUT = re.compile(
    r"(?:は|が|を|に|へ|や|から|まで|より|ので|ため|という|として|であり|れば|たら|ても|ながら"
    r"|および|または|また|そして|しかし|したがって|例えば|たとえば)\Z"
)
LIST_LINE = re.compile(r"\s*(?:[-*+・●○■◆|>#]|\(?[0-9]{1,3}[.)．、:：]|[①-⑳])")
