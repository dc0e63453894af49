"""The core phrases of an injection in other languages: override, concealment, revelation. Data.

Written as `homoglyphs.fold` leaves them, without accents. Words of languages that inflect are cut to their stems.
"""

from extproc.screening import orders
from extproc.screening.model import Rule

_UP_TO = r"[^.!?\n]{0,40}"  # words between, in any script

RULES = (
    Rule(
        orders.OVERRIDE,
        (
            # German
            rf"\b(?:ignorier\w*|vergiss|vergesst|vergessen sie|missacht\w*|verwirf|beachte|befolge|ubergeh\w*) {_UP_TO}(?:vorherig|bisherig|vorangegangen|vorangehend|vorig|obig|fruher|ursprunglich|alle deine|alle ihre|deine|nicht)\w*{_UP_TO}(?:anweisung|instruktion|befehl|vorgabe|regel|anleitung|prompt|richtlinie)",  # noqa: E501
            rf"\b(?:ignorier\w*|vergiss|vergesst|vergessen sie) alles{_UP_TO}(?:bisher|zuvor|oben|vorher|davor|gesagt)",
            # French
            rf"\b(?:ignore[zr]?|oublie[zr]?|neglige[zr]?|ne (?:suis|suivez|tiens|tenez)|ne tenez pas compte|ne tiens pas compte|fais abstraction|faites abstraction|contourne[zr]?)\b{_UP_TO}(?:instruction|consigne|directive|regle|ordre|prompt)s?{_UP_TO}(?:precedent|anterieur|ci-dessus|initial|donnee|recu|systeme)",  # noqa: E501
            rf"\b(?:ignore[zr]?|oublie[zr]?)\b{_UP_TO}(?:precedent|anterieur)\w*{_UP_TO}(?:instruction|consigne|directive|regle)",
            rf"\b(?:oublie[zr]?|ignore[zr]?) tout ce (?:qui|que){_UP_TO}(?:precede|avant|dit)",
            # Spanish and Portuguese
            rf"\b(?:ignor[ae]n?|ignorar|olvid[ae]n?|olvidar|omit[ae]|descart[ae]|esquec[ae]|esquecer|desconsider[ae]|no sigas|no siga|nao siga|haz caso omiso|haga caso omiso|pasa por alto|desobedezca|desobedece)\b{_UP_TO}(?:instruc|directric|ordenes|ordens|reglas|regras|indicaciones|diretrizes|comandos|prompt){_UP_TO}(?:anterior|previ|arriba|acima|inicial|original|sistema|recibid|recebid)",  # noqa: E501
            rf"\b(?:ignor[ae]n?|olvid[ae]n?|esquec[ae]|desconsider[ae])\b{_UP_TO}(?:anterior|previ)\w*{_UP_TO}(?:instruc|directric|ordenes|ordens|reglas|regras|diretrizes)",
            rf"\b(?:ignor[ae]|olvid[ae]|esquec[ae]) (?:todo lo|tudo o? ?que|tudo){_UP_TO}(?:anterior|antes|arriba|acima|dicho|dito)",  # noqa: E501
            # Italian
            rf"\b(?:ignora|ignori|ignorate|ignorare|dimentica|dimenticate|trascura|non seguire|non tenere conto)\b{_UP_TO}(?:istruzion|direttiv|ordini|regole|comandi|prompt|indicazion)\w*{_UP_TO}(?:precedent|anterior|sopra|inizial|original|ricevut)",  # noqa: E501
            rf"\b(?:ignora|ignori|ignorate|dimentica)\b{_UP_TO}(?:precedent|anterior)\w*{_UP_TO}(?:istruzion|direttiv|regole)",
            # Dutch
            rf"\b(?:negeer|vergeet|sla)\b{_UP_TO}(?:vorige|eerdere|voorgaande|bovenstaande|oorspronkelijke|alle)\b{_UP_TO}(?:instructie|opdracht|aanwijzing|regel|prompt|richtlijn)",
            # Polish
            rf"\b(?:zignoruj\w*|ignoruj\w*|zapomnij\w*|pomin\w*|nie przestrzegaj)\b?{_UP_TO}(?:poprzedni|wczesniejsz|wczesniejszy|powyzsz|dotychczasow|pierwotn)\w*{_UP_TO}(?:instrukcj|polece|wytyczn|zasad|wskazow|prompt)",  # noqa: E501
            # Russian, Ukrainian
            rf"(?:игнорируи|проигнорируи|игнорировать|забудь|забудьте|не следуи|отбрось|не обращаи внимания|пренебреги|ігноруи|забудь){_UP_TO}(?:предыдущ|прежн|предшествующ|выше|ранее|все|попередн|системн){_UP_TO}(?:инструкц|указан|команд|правил|директив|распоряжен|подсказ|промпт|сказан|інструкц|вказів)",  # noqa: E501
            rf"(?:игнорируи|проигнорируи|забудь|не следуи){_UP_TO}(?:инструкц|указан|команд|правил|промпт){_UP_TO}(?:выше|ранее|раньше|до этого|предыдущ)",  # noqa: E501
            # Turkish
            rf"\b(?:onceki|yukaridaki|daha once)\b{_UP_TO}(?:talimat|komut|yonerge|kural){_UP_TO}(?:yok say|gormezden gel|unut|dikkate alma|goz ardi|yoksay)",  # noqa: E501
            # Chinese
            r"(?:忽略|忽視|忽视|无视|無視|忘记|忘記|忘掉|不要理会|不要遵循|不再遵守|抛弃|跳过|跳過|放弃|丢弃)[^。！？\n]{0,15}(?:之前|以前|先前|上面|上述|以上|前面|此前|所有|原有|系统|系統|你的|一切)[^。！？\n]{0,12}(?:指令|指示|提示|命令|规则|規則|要求|说明|說明|设定|設定|内容|對話|对话)",
            # Japanese
            r"(?:これまて|これまで|以前|前|上記|先|先ほと|今まて|すへて|全て|元|システム)[^。！？\n]{0,15}(?:指示|命令|指令|フロンフト|プロンプト|ルール|指図|設定)[^。！？\n]{0,8}(?:無視|忘れ|破棄|従わな|取り消|無効)",
            # Korean
            r"(?:이전|앞선|위의|위|기존|지금까지|모든|앞의|원래|시스템)[^.!?\n]{0,15}(?:지시|명령|지침|프롬프트|규칙|설정|안내)[^.!?\n]{0,10}(?:무시|잊|따르지|폐기|취소)",
            # Arabic, Persian, Hebrew, Hindi
            rf"(?:تجاهل|انس|تجاوز|لا تتبع){_UP_TO}(?:التعليمات|الاوامر|الأوامر|القواعد|الإرشادات|الارشادات|التوجيهات){_UP_TO}(?:السابقة|أعلاه|اعلاه|الأصلية|المذكورة)",  # noqa: E501
            rf"(?:دستورات|دستورالعمل|دستور|قوانین|قواعد){_UP_TO}(?:قبلی|پیشین|بالا|قبل){_UP_TO}(?:نادیده|فراموش|رها)",
            rf"(?:התעלם|תתעלם|התעלמי|התעלמו|שכח|שכחי|שכחו){_UP_TO}(?:הוראות|ההוראות|ההנחיות|הפקודות|הנחיות|הכללים)",
            rf"(?:पिछले|पिछल|पूर्व|उपरोक्त|सभी){_UP_TO}(?:निर्देश|आदेश|नियम){_UP_TO}(?:अनदेखा|नजरअंदाज|नज़रअंदाज|भूल|उपेक्षा)",
        ),
    ),
    Rule(
        orders.CONCEALMENT,
        (
            rf"\b(?:sag|sage|sagen sie|erzahl\w*|verrate\w*|informier\w*|teile|erwahne\w*)\b{_UP_TO}(?:dem|den|der|gegenuber) (?:dem )?(?:benutzer|nutzer|anwender|user)\w*{_UP_TO}\b(?:nicht|nichts|niemals)",  # noqa: E501
            rf"\bne (?:dis|dites|le dites|mentionne[zr]?|revele[zr]?|informe[zr]?|previens|prevenez|parle[zr]?|le dis)\b{_UP_TO}(?:utilisateur|usager)",  # noqa: E501
            rf"\b(?:no (?:le |se lo )?(?:digas|diga|informes|informe|menciones|mencione|reveles|revele|cuentes|avises)|nao (?:conte|diga|informe|mencione|revele|avise))\b{_UP_TO}(?:usuario|utilizador)",  # noqa: E501
            rf"\bnon (?:dire|dirlo|dica|menzionare|rivelare|informare|avvisare)\b{_UP_TO}utente",
            rf"\b(?:vertel|zeg|meld|noem|informeer)\b{_UP_TO}(?:gebruiker){_UP_TO}\bniet|\bniet{_UP_TO}(?:gebruiker){_UP_TO}(?:vertellen|zeggen|melden|informeren)",
            rf"\bnie (?:mow|informuj|wspominaj|ujawniaj|powiadamiaj)\w*{_UP_TO}uzytkownik",
            rf"не (?:говори|сообщаи|рассказываи|упоминаи|раскрываи|показываи|уведомляи|информируи)\w*{_UP_TO}пользовател",  # noqa: E501
            r"(?:不要|别|別|切勿|请勿|請勿|不得|不能)[^。！？\n]{0,6}(?:告诉|告訴|告知|通知|提及|透露|让|讓|向)[^。！？\n]{0,8}(?:用户|用戶|使用者|任何人|人类)",
            r"(?:ユーサー|ユーザー|利用者|使用者)[^。！？\n]{0,8}(?:伝え|言わ|知らせ|教え|話さ|明かさ|通知し)[^。！？\n]{0,6}(?:ない|な(?:て|で)|いけ|ください|くたさい)",
            r"(?:사용자|유저)(?:에게|한테)[^.!?\n]{0,12}(?:말하지|알리지|언급하지|밝히지|이야기하지)",
        ),
    ),
    Rule(
        orders.REVELATION,
        (
            rf"\b(?:zeig\w*|gib|geben sie|verrate\w*|nenne\w*|drucke)\b{_UP_TO}(?:system-?prompt|systemanweisung|systemnachricht)",  # noqa: E501
            rf"\b(?:montre[zr]?|affiche[zr]?|revele[zr]?|donne[zr]?)\b{_UP_TO}(?:prompt systeme|invite systeme|instructions? systeme)",  # noqa: E501
            rf"\b(?:muestr[ae]|revel[ae]|imprim[ae]|mostr[ae]|exib[ae]|mostra|rivela)\b{_UP_TO}(?:prompt d[eo]l? ?(?:sistema)|prompt di sistema|instrucciones del sistema|instrucoes do sistema)",  # noqa: E501
            rf"(?:покажи|раскрои|выведи|напечатаи|сообщи|отправь){_UP_TO}(?:системн\w*{_UP_TO}(?:промпт|инструкц|подсказ|запрос)|пароли|секретн|ключи)",
            r"(?:显示|顯示|输出|輸出|透露|打印|告诉我|发送|發送|泄露)[^。！？\n]{0,10}(?:系统提示|系統提示|系统指令|系統指令|密码|密碼|密钥|密鑰|凭证|对话记录|聊天记录)",
            r"(?:システムフロンフト|システムプロンプト|システム指示|ハスワート|パスワード)[^。！？\n]{0,10}(?:表示|出力|教え|送信|開示)",
            r"(?:시스템 ?프롬프트|시스템 지시|비밀번호)[^.!?\n]{0,10}(?:출력|보여|알려|공개|보내|전송)",
        ),
    ),
)
