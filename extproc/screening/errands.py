"""Phrases that send the model for something: secret files, data to an address, values into arguments. Data."""

from extproc.screening.model import Rule, Sign

_FETCH = r"(?:read|cat|open|load|get|fetch|access|retrieve|extract|print|include|copy|send|upload|attach|steal|find|search for|search|collect|dump|show|look up|grab|paste|pass|provide|leak|exfiltrate|email|post|forward|locate|return|append|encode|check|list|examine|view|scan|harvest|gather|output|base64)"  # noqa: E501
_SEND = r"(?:send|post|forward|upload|transmit|exfiltrate|deliver|submit|leak|email|e-mail|mail|report|copy|push|beacon|pass|relay|share|ship|publish|write|curl|append|pipe)"  # noqa: E501
_WHERE = r"(?:https?://|wss?://|ftp://|mailto:|[\w.+-]+@[\w-]+\.\w|[\w-]+\.(?:ngrok|requestbin|webhook|burpcollaborator|oast|interact|pipedream)\b|webhook\.site|attacker|evil)"
_PRIVATE = r"(?:~/\.ssh|\.ssh/id_\w+|\.ssh/?(?:\s|$|['\"`])|id_rsa(?:$|[^.\w]|\.[^p\w])|id_ed25519(?:$|[^.\w])|ssh (?:private )?keys?|private keys?|\.aws/credentials|\.netrc|\.git-credentials|\.kube/config|kubeconfig|\.docker/config\.json|/etc/shadow|/etc/passwd|claude_desktop_config|mcp\.json|\.bash_history|\.zsh_history|wallet\.dat|\.pgpass|\.pypirc|keychain|seed phrase|recovery phrase|login data|service[-_]account\.json|application_default_credentials|browser cookies|session cookies|saved passwords)"  # noqa: E501
_PLAIN = r"(?:\.env\b|environment variables?|env vars?|api[ _-]?keys?|credentials?|access tokens?|passwords?|secrets?\b|auth tokens?|2fa codes?|verification codes?|one-time codes?|reset links?|\.npmrc|config\.json)"  # noqa: E501
_TALK = r"(?:conversation|chat|history|transcript|credentials?|passwords?|tokens?|api keys?|secrets?|environment|env|private|contents?|context|prompt|ssh|keys?|emails?|inbox|messages?|documents?|personal|customer|source code|cookies?|database|files?|user'?s? \w+)"  # noqa: E501

SECRET_FILE = Sign("secret-file", "It asks for a file that holds keys or credentials.", description=55, result=22)
SECRET_DEMAND = Sign(
    "secret-demand", "It tells the reader to fetch credentials and hand them on.", description=55, result=45
)
SECRETS = Sign("secrets", "It asks for credentials or the environment.", description=28, result=8)
SENDING = Sign("sending", "It wants private data sent to an address outside.", description=60, result=50)
ADDRESSED = Sign("send-to", "It wants something sent to an address outside.", description=40, result=20)
ERRAND = Sign("errand", "It sends the reader to an address, to do what stands there.", description=45, result=34)
SMUGGLING = Sign("smuggling", "It wants contents put into an argument that is not for them.", description=45, result=30)
COPYING = Sign("copying", "It redirects or copies mail and messages to another recipient.", description=50, result=35)

_MUST = r"(?:you must|you should|you need to|you have to|you will|please|now|then|immediately|must|first|always|next|also|to proceed|assistant|agent)"  # noqa: E501

RULES = (
    Rule(SECRET_FILE, (rf"\b{_FETCH} <7>{_PRIVATE}", rf"\b(?:contents?|value|copy) of <4>{_PRIVATE}")),
    Rule(
        SECRET_DEMAND,
        (
            rf"\b{_MUST} <3>{_FETCH} <6>{_PRIVATE}",
            rf"\b{_FETCH} <6>{_PRIVATE} <5>(?:and|then|to) <2>{_SEND}\b",
            rf"\b{_FETCH} <6>(?:{_PRIVATE}|{_PLAIN}) <6>(?:as|in|into|via) <3>(?:parameter|argument|field|sidenote|param|input|body|comment|url|query)\b",  # noqa: E501
            rf"\b{_FETCH} <6>{_PLAIN} <4>(?:and|then|to) <2>{_SEND} <6>{_WHERE}",
            rf"\b(?:send|post|leak|exfiltrate|transmit|forward|email|upload|hand over|reveal) <4>(?:me|us) <3>{_PLAIN}",
            rf"\b(?:send|post|leak|exfiltrate|transmit|upload) <3>(?:your|the user'?s?|user'?s?|all|any|every|their) <2>{_PLAIN}",  # noqa: E501
        ),
    ),
    Rule(SECRETS, (rf"\b{_FETCH} <4>{_PLAIN}",)),
    Rule(
        SENDING,
        (
            rf"\b{_SEND} <4>{_TALK} <6>(?:to|at|via|into|using) <4>{_WHERE}",
            rf"\b(?:exfiltrate|leak|beacon) <6>(?:to|via) <2>{_WHERE}",
        ),
    ),
    Rule(
        ADDRESSED,
        (
            rf"\b{_SEND} <3>(?:it|them|this|everything|all|results?|output|response|data|summary|answer|details|information|value|body|findings|text|report) <5>(?:to|at|via) <4>{_WHERE}",  # noqa: E501
        ),
    ),
    Rule(
        ERRAND,
        (
            r"\b(?:visit|navigate to|browse to|go to|click|fetch|open|call|curl|load|download) <3>https?://\S+ (?:and|then|to) <3>(?:follow|execute|run|obey|do what|perform|carry out|instructions|verify your|re-?authenticate)",  # noqa: E501
        ),
    ),
    Rule(
        SMUGGLING,
        (
            r"\b(?:pass|put|include|provide|place|supply|insert|add|write|store|use|send) <2>(?:its|the|their|all|whole|full|file'?s?|entire|that|this) <3>(?:contents?|conversation|history|prompt|context|transcript|messages) <4>(?:as|in|into|to) <4>(?:parameter|argument|field|sidenote|param|input|note|comment|metadata|feedback|notes)\b",  # noqa: E501
            r"\bsidenote\b",
            r"\b(?:parameter|argument|field) <2>(?:must|should|has to|needs to) <2>(?:contain|include|hold|be) <4>(?:conversation|system prompt|chat history|contents? of|previous messages|all messages|user'?s? (?:messages?|data|credentials?))",  # noqa: E501
        ),
    ),
    Rule(
        COPYING,
        (
            r"\b(?:always|must|also|silently|secretly|should|and) <2>(?:add|include|set|put|cc|bcc) <4>(?:bcc|cc|recipient|reply-to)\b",  # noqa: E501
            r"\b(?:bcc|cc) <3>[\w.+-]+@[\w-]+\.\w",
            r"\b(?:all|every|any|each) <2>(?:emails?|messages?|mails?|payments?|transfers?|invoices?|notifications?) <3>(?:must|should|has to|have to|need to|needs to|are to|is to|be|to) <2>(?:be )?(?:sent|forwarded|copied|redirected|routed|addressed) to\b",  # noqa: E501
            r"\b(?:change|replace|set|update|substitute|swap) <3>(?:recipient|bank|iban|account number|wallet|payee|destination|payout|beneficiary) <4>(?:to|with|by) <2>(?:[\w.+-]+@|0x[0-9a-f]{8}|[A-Z]{2}\d{2}|\+?\d|attacker|bc1|my|ours)",  # noqa: E501
            r"\b(?:forward|redirect|reroute|copy) <2>(?:all|every|any|each) <2>(?:emails?|messages?|mails?|inbox|password|invoices?|codes?) <4>(?:to|at)\b",  # noqa: E501
        ),
    ),
)
