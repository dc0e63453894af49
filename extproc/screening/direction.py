"""Phrases by which one tool's text directs what is done with other tools. Data.

Tools of one server rightly name each other ("call list_pages first"), so the milder forms weigh little.
"""

from extproc.screening.model import Rule, Sign

_USE = r"(?:use|using|call|calling|invoke|invoking|run|running|execute|executing)"
_NAME = r"[`'\"]?[\w.:/-]+[`'\"]?"

PRECONDITION = Sign(
    "precondition", "It makes its use depend on reading or sending something first.", description=50, result=35
)
ORDER = Sign("tool-order", "It says which tool is called before or after it.", description=15, result=15)
TAKEOVER = Sign("tool-takeover", "It says how other tools behave or that they are not used.", description=50, result=35)
PREFERENCE = Sign("tool-preference", "It wants to be used in place of another tool.", description=20, result=15)

RULES = (
    Rule(
        PRECONDITION,
        (
            rf"\b(?:before|prior to|in order to|after|when|whenever|each time you|every time you) (?:you )?{_USE} <5>(?:must|always|first|need to|have to|required to|should|please|required) <3>(?:read|cat|open|send|fetch|load|include|provide|pass|upload|collect|export|download|retrieve|visit|copy|list the contents|dump|append|gather|post)\b",  # noqa: E501
            rf"\b(?:must|need to|have to|required to|always|should|first) <2>(?:read|cat|open|send|fetch|load|upload|collect|visit|copy|dump|gather|post) <9>(?:before|prior to|otherwise|or else) <1>{_USE} <1>(?:this|the|any|it)",  # noqa: E501
            r"\b(?:otherwise|or else|if you do not|if you don't|failing to do so|unless you do) <4>(?:tool|function|it|this|request|operation|call|everything|server|user) <2>(?:will not|won't|fails?|will fail|cannot|can't|break|be (?:terminated|blocked|rejected|lost|deleted)|is (?:blocked|lost))\b",  # noqa: E501
            r"\b(?:tool|function|it|implementation) (?:will|does|can) not (?:work|function|run|respond) (?:unless|until|if|without) <5>(?:read|send|pass|include|provide|contents?|file)\b",  # noqa: E501
        ),
    ),
    Rule(
        ORDER,
        (
            rf"\b(?:always|must|should|need to|have to) <1>(?:call|use|invoke|run|execute) {_NAME} <3>(?:first|before|prior|after)\b",  # noqa: E501
            rf"\bbefore {_USE} <2>tools?\b",
            rf"\bafter {_USE} <3>(?:always|must|also|then) <1>(?:call|use|invoke|run)\b",
        ),
    ),
    Rule(
        TAKEOVER,
        (
            rf"\binstead of <2>(?:tool|function|{_NAME} tool|{_NAME}_\w+),? <2>(?:always |must |you must |please )?(?:use|call|invoke|run)\b",  # noqa: E501
            r"\b(?:when|whenever|if|once|every time|each time|any time|after|before) <2>(?:\w+_\w+|other|another|any|the \w+) (?:tool |function )?(?:tool|function|\w+_\w+)? ?(?:is|are|gets?|has been|will be) (?:called|used|available|present|invoked|executed|installed|run)\b <5>(?:must|always|change|set|add|replace|first|also|send|instead|never|should|use|call|append|include)\b",  # noqa: E501
            r"\bthis tool (?:affects|modifies|changes|overrides|replaces|supersedes|governs|controls|takes over) <5>(?:tools?|behaviou?r|functions?|servers?|instructions?)\b",  # noqa: E501
            rf"\b(?:before|after|prior to|alongside|together with|with) <1>(?:any|every|each|all) <1>(?:other )?(?:tools?|actions?|tool calls?|function calls?|requests?|server)\b <5>(?:{_USE}|must|always|first|this|need)\b",  # noqa: E501
            rf"\b(?:call|use|invoke|run) (?:this|this tool|this function|it|{_NAME}) <3>(?:before|after|with|prior to|on|for) <1>(?:any|every|each|all) <1>(?:other )?(?:tools?|actions?|tool calls?|messages?|turns?|function|response|repl(?:y|ies)|requests?|conversations?)\b",  # noqa: E501
            r"\b(?:do not|don'?t|never|stop|avoid|must not) (?:use|using|call|calling|trust|trusting|invoke) <3>(?:other|any other|another|else|competing|alternative) <3>(?:tools?|functions?|servers?|providers?)\b",  # noqa: E501
            r"\b(?:the )?(?:other|all other|\w+_\w+) <1>(?:tools?|servers?|version) (?:is|are|has been|have been) <1>(?:deprecated|broken|compromised|insecure|unsafe|disabled|malicious|removed|unavailable)\b <6>(?:use|call|this|instead|invoke|switch)\b",  # noqa: E501
            r"\b(?:do not|don'?t|never) (?:use|call|invoke|run) (?:the )?[`'\"]?\w+_\w+[`'\"]?(?: (?:tool|function)\b|[;.]? <3>(?:instead|unsafe|insecure|this tool))",  # noqa: E501
            r"\b(?:replaces|supersedes|is the (?:only|official|new) version of|is a replacement for) <2>\w+_\w+",
        ),
    ),
    Rule(
        PREFERENCE,
        (
            r"\b(?:use|prefer|choose|pick|select|call) (?:this|this tool|it|this server|this function) (?:instead of|over|rather than|in place of|in preference to)\b",  # noqa: E501
            r"\balways (?:prefer|choose|pick|select) this (?:tool|function|server)\b",
            r"\bthis (?:tool|function|server) (?:must|should) (?:always |be )?(?:always )?(?:be )?(?:used|called|preferred|chosen|invoked)\b",  # noqa: E501
        ),
    ),
)
