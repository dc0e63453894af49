"""Phrases by which a text gives orders to the model that reads it, in English. Data; `languages` has the others."""

from extproc.screening.model import Rule, Sign

_STRONG = (
    "(?:instructions?|prompts?|guidelines?|directives?|programming|guardrails?|system (?:prompt|message)s?|briefing)"
)
_WEAK = "(?:rules?|commands?|orders?|restrictions?|constraints?|directions?|polic(?:y|ies)|training|tasks?)"
_DROP = (
    r"(?:ignore|ignoring|disregard|disregarding|forget|forgetting|discard|neglect|overlook|dismiss|abandon|erase|"
    r"set aside|bypass|override|overwrite|skip|drop|cancel|delete|unlearn|"
    r"(?:do not|don'?t|never|stop|no longer|cease to|cease|must not|should not) (?:follow|following|obey|obeying|heed|comply with|adhere to)|"  # noqa: E501
    r"pay no attention to|never ?mind|turn off|not bound by)"
)
_BEFORE = (
    r"(?:previous|previously|prior|above|earlier|preceding|foregoing|existing|original|initial|former|past|old|"
    r"system|developer|your|other|current|user'?s|safety|given)"
)
_AI = r"(?:AI|A\.I\.|LLMs?|language models?|AI (?:agents?|assistants?|models?|systems?)|assistants?|agents?|chatbots?|claude|gpt(?:-\d)?|chatgpt|copilot|gemini|cursor)"  # noqa: E501
_PERSON = r"(?:users?|humans?|operators?|customers?|owners?|admins?|developers?|reviewers?)\b"

OVERRIDE = Sign("override", "It tells the model to put aside the instructions it was given.", description=80, result=60)
REPLACEMENT = Sign(
    "new-instructions", "It announces new instructions, as only the user or the host may.", description=45, result=35
)
IDENTITY = Sign("identity", "It tells the model what it is or how it behaves from now on.", description=50, result=40)
ADDRESS = Sign("address", "It speaks to the model or agent that reads it.", description=40, result=32)
DUTY = Sign("duty", "It says what an assistant must do.", description=25, result=20)
CONCEALMENT = Sign(
    "concealment", "It wants something kept from the user, or says that the user agreed.", description=60, result=45
)
QUIET = Sign("quiet", "It wants something done without asking or telling the user.", description=25, result=15)
REVELATION = Sign(
    "revelation", "It asks for the system prompt, the conversation or other context.", description=45, result=35
)
DICTATION = Sign("dictation", "It dictates what the model answers.", description=35, result=30)
BOUNDARY = Sign(
    "boundary", "It pretends that the tool's text ends and something else begins.", description=40, result=32
)

RULES = (
    Rule(
        OVERRIDE,
        (
            rf"\b{_DROP} <4>{_BEFORE} <3>{_STRONG}\b",
            rf"\b{_DROP} <2>(?:all|any|every|these|those|the) {_STRONG} <3>(?:above|before|previous|given|you|so far|earlier|prior|until now)\b",  # noqa: E501
            rf"\b(?:ignore|disregard|forget|forgetting|ignoring|disregarding) <3>(?:all|any|every|everything) <1>(?:of )?(?:the |your |my )?{_STRONG}",  # noqa: E501
            rf"\b(?:ignore|disregard|forget|ignoring|disregarding|(?:do not|don'?t|stop) (?:follow|following|obey)) <2>(?:previous|prior|above|earlier|preceding|your) <2>{_WEAK}\b",  # noqa: E501
            r"\b(?:ignore|disregard|forget) (?:everything|anything|all|whatever|what you|what was) <3>(?:above|before|previously|said|told|know|learned|learnt|written|earlier|prior)\b",  # noqa: E501
            r"\b(?:previous|prior|above|earlier|preceding|original|old|user'?s) (?:instructions?|prompts?|directives?|guidelines?|system prompts?) <2>(?:are|is|were|was|have been|has been|must be|should be|can be) <1>(?:void|obsolete|cancell?ed|superseded|no longer|outdated|invalid|wrong|revoked|replaced|ignored|disregarded|over|null|overridden)\b",  # noqa: E501
            r"\binstructions? (?:above|before this|so far|you were given) <3>(?:no longer|do not|don't|cease|void|obsolete|superseded|outdated|replaced|invalid)",  # noqa: E501
            r"(?:ignore|disregard|forget)(?:all)?(?:of)?(?:the|your|my|any)?(?:previous|prior|above|earlier)(?:instruction|prompt|rule)",
            r"\b(?:ignore|disregard|forget) <2>(?:user|human|operator)(?:'s|s)? <2>(?:request|question|instructions?|query|task|goal|wishes)",  # noqa: E501
            r"\binstructions? (?:from|of|in) <2>(?:this|the following) (?:document|page|file|text|tool|message|email|block|section) (?:take|takes|have|has) (?:precedence|priority)",  # noqa: E501
            r"\b(?:takes?|have|has) (?:precedence|priority) over <3>(?:instructions?|system prompt|prompts?|other tools?|user'?s request)\b",  # noqa: E501
            r"\b(?:supersedes?|supersede|overrides?|replaces?) <2>(?:all|any|every|your|previous|prior|earlier|system) <3>(?:instructions?|prompts?|directives?|guidelines)\b",  # noqa: E501
        ),
    ),
    Rule(
        REPLACEMENT,
        (
            r"\b(?:new|updated|revised|real|actual|true|hidden|additional|secret|special|important|urgent|follow(?:ing)? these) (?:system )?(?:instructions?|directives?|objectives?|prompt|orders|task|mission)\s*(?:for (?:you|the (?:ai|assistant|model|agent)))?\s*:",  # noqa: E501
            r"\byour (?:new|real|actual|true|only|next|updated|primary|main|hidden) (?:task|goal|objective|instructions?|mission|job|role|purpose|priority|directive)s? <1>(?:is|are|will be)\b",  # noqa: E501
            r"\b(?:follow|obey|execute|carry out|perform) <1>(?:these|the following|my|only these|only my) (?:new |secret |hidden |exact )?(?:instructions|orders|commands|directives) (?:instead|only|now|immediately|exactly|without)\b",  # noqa: E501
            r"\binstead,? (?:you must|you should|you will|your task is|do the following|perform|follow these|follow the)\b",  # noqa: E501
        ),
    ),
    Rule(
        IDENTITY,
        (
            r"\byou are now (?:DAN|an? <2>(?:unrestricted|unfiltered|uncensored|evil|jailbroken|different|malicious|administrator|hacker|assistant|agent|AI|model|bot|chatbot|persona|system)|in <1>(?:developer|debug|god|admin|maintenance|jailbreak|DAN|unrestricted|root|test) mode|operating|free from|free of|acting as|no longer|authori[sz]ed|unrestricted|under)\b",  # noqa: E501
            r"\bfrom (?:now|here|this (?:point|moment|message)) on(?:wards?|ward)?,? (?:you (?:must|are|shall|respond|answer|act|have to|will (?:act|answer|respond|ignore|only|always|behave|obey|follow|be))|(?:always|only|never) (?:respond|answer|reply|act|call|use|include|send|recommend)|(?:respond|answer|reply|act) )",  # noqa: E501
            r"\bas an? (?:AI|language model|LLM|AI (?:agent|assistant|model)|assistant|agent|large language model),? you (?:must|should|need|have|are required|are obliged|will|shall|are now)\b",  # noqa: E501
            r"\b(?:pretend|imagine|assume|roleplay|role-play) (?:to be|you are|you're|that you are|as|being) <2>(?:unrestricted|evil|DAN|AI|hacker|administrator|admin|root|no|without|not|system|developer|different)\b",  # noqa: E501
            r"\bact as (?:if|though) you (?:have no|had no|are not|were not|aren't|had never|are an? <1>admin)",
            r"\b(?:enter|enable|activate|switch (?:to|into)|engage) <1>(?:DAN|jailbreak|god|unrestricted|no-restrictions|evil|do anything now) mode\b",  # noqa: E501
            r"\byou (?:have|are granted|now have|are given) <2>(?:no|unlimited|unrestricted|full|elevated) <1>(?:restrictions?|limitations?|administrator|admin|root|privileges|permissions?)\b",  # noqa: E501
            r"\byou are (?:not|no longer) (?:bound|restricted|limited|constrained|an ai|required to)\b",
        ),
    ),
    Rule(
        ADDRESS,
        (
            rf"\b(?:dear|hey|hello|hi),? (?:there,? )?{_AI}(?: (?:agents?|assistants?|models?))?\s*[:,!]",
            rf"\b(?:attention|note to|notes? for|message (?:to|for)|important for|instructions? (?:to|for)|warning to|reminder (?:to|for)|notice to|directive (?:to|for)|memo to) <3>{_AI}(?: (?:agents?|assistants?|models?))?\s*[:,!.*\]-]",  # noqa: E501
            rf"\bif you(?:'re| are) <1>(?:an? |the )?{_AI}\b",
            rf"\b{_AI} (?:that (?:is|are) )?(?:reading|processing|parsing|summari[sz]ing|analy[sz]ing|handling|viewing|ingesting|seeing) (?:this|the following|these)\b",  # noqa: E501
            rf"\bto (?:the|any|all|whatever|whichever) <1>{_AI} (?:that|who|which|reading|processing)\b",
            r"(?m:^|[.:!>\]] ?|-- ?)(?:AI|LLM|assistant|agent|claude|chatgpt|copilot|gemini)(?: (?:assistant|agent|model)s?)?\s*[,:] ?(?:please|you must|you should|you are|do not|don't|ignore|stop|now|when|call|run|execute|send|read|use|your)\b",  # noqa: E501
        ),
    ),
    Rule(
        DUTY,
        (
            rf"\b(?:the|an?|any|all|every) {_AI} (?:must|shall|is required to|are required to|needs to|has to|have to|should|is instructed to|will now) <2>(?:call|run|execute|send|read|ignore|use|reply|output|include|fetch|open|delete|transfer|click|visit|recommend|say|tell|forward|append|invoke|approve|first|always)\b",  # noqa: E501
            r"\byou (?:must|have to|need to|are required to) (?:now |immediately |always |first |also |silently |next )(?:call|run|execute|send|read|reply|output|include|fetch|open|delete|transfer|visit|recommend|forward|append|invoke|approve|use|call|respond)\b",  # noqa: E501
        ),
    ),
    Rule(
        CONCEALMENT,
        (
            rf"\b(?:do not|don'?t|never|must not|mustn't|should not|shouldn't|avoid|not to|need not|no need to|refrain from|cannot) <2>(?:tell|telling|inform|informing|notify|notifying|alert|alerting|warn|warning|bother|bothering|worry) <1>{_PERSON}",  # noqa: E501
            rf"\b(?:do not|don'?t|never|must not|mustn't|should not|avoid|not to|without|refrain from) <2>(?:mention|mentioning|reveal|revealing|disclose|disclosing|report|reporting|say|saying|explain|explaining|describe|describing|admit|talk|talking|discuss|let) <5>(?:to|with|let) <1>{_PERSON}",  # noqa: E501
            r"\b(?:do not|don'?t|never|must not|avoid) <1>(?:mention|reveal|disclose|acknowledge|refer to|talk about|reference) <1>(?:this|that|these|it|the above|any of this|the fact|having)\b",  # noqa: E501
            r"\bwithout <1>(?:the user'?s?|their|anyone'?s?|user'?s?) <1>(?:knowledge|knowing|noticing|awareness|seeing)\b",  # noqa: E501
            r"\b(?:silently|secretly|covertly|quietly|discreetly|stealthily|invisibly) (?:send|forward|read|include|call|upload|copy|append|collect|execute|run|post|transmit|add|bcc|invoke|attach|embed|exfiltrate|fetch)\b",  # noqa: E501
            rf"\b(?:keep|hide|conceal|kept|hidden) <4>(?:secret |hidden |confidential )?from <1>(?:{_PERSON}|anyone|everyone|people)",  # noqa: E501
            r"\bthe user (?:must|should|does|do|will|can|may|need|needs) not <1>(?:know|see|notice|told|informed|aware|find|learn|realize|hear|to know|be)\b",  # noqa: E501
            r"\b(?:the )?user (?:has |have )?(?:already |previously |explicitly |implicitly ){1,2}(?:approved|consented|authori[sz]ed|agreed|confirmed|granted|given|permitted|pre-approved)\b",  # noqa: E501
            r"\b(?:keep|make|perform|do) (?:this|it) <2>(?:secret|confidential|hidden|invisible|covert|discreet|quiet|stealthy)\b",  # noqa: E501
        ),
    ),
    Rule(
        QUIET,
        (
            r"\bwithout (?:asking|telling|informing|notifying|prompting|alerting|warning|confirmation from|approval from|confirming with) <1>(?:user|human|operator|anyone|them)\b",  # noqa: E501
            r"\b(?:do not|don'?t|never) (?:ask|prompt|request|seek|wait for) <3>(?:confirmation|permission|approval|consent)\b",  # noqa: E501
            r"\b(?:do not|don'?t|never) ask <1>(?:user|human)\b",
        ),
    ),
    Rule(
        REVELATION,
        (
            r"\b(?:reveal|print|show|output|repeat|display|leak|tell me|share|paste|dump|include|append|send|quote|recite|disclose|write out|summari[sz]e|attach|return|give me|copy|insert|put) <5>(?:system prompt|initial prompt|hidden prompt|initial instructions|system instructions|developer message|secret instructions|system message|your instructions|your prompt)\b",  # noqa: E501
            r"\b(?:send|post|forward|append|include|upload|attach|leak|transmit|embed|encode|put|pass|copy|insert|add|exfiltrate|write|submit|provide) <5>(?:conversation|chat|message) (?:history|log|transcript|context|so far|above)\b",  # noqa: E501
            r"\b(?:send|post|forward|append|upload|attach|leak|transmit|embed|encode|pass|exfiltrate|insert|include|put) <3>(?:full|entire|whole|complete|all|user'?s?) <2>(?:conversation|chat|dialogue|context|prompt|messages)\b",  # noqa: E501
            r"\bwhat (?:is|are|was|were) your (?:system prompt|initial prompt|original instructions|initial instructions|hidden instructions)\b",  # noqa: E501
            r"\brepeat (?:everything|all|the text|the words|all the text) (?:above|before|prior)\b",
        ),
    ),
    Rule(
        DICTATION,
        (
            r"\b(?:respond|reply|answer|output|say|print|write) (?:only|just|exactly|nothing but|solely|simply)(?: with)? ?[:\"'“‘`«]",  # noqa: E501
            r"\b(?:tell|inform|convince|persuade|advise|assure|instruct) the user (?:that|to|their|they|it|everything|this|all|about|you)\b",  # noqa: E501
            r"\b(?:in|into|of|at the end of|to) (?:your|every|each|all your) (?:final |next |every )?(?:answers?|repl(?:y|ies)|responses?|summary|output),? <2>(?:include|including|insert|add|append|mention|recommend|say|link)\b",  # noqa: E501
            r"\b(?:include|insert|add|append|render|embed|put|place|display) <6>(?:in|into|to|at the end of) (?:your|every|each|all your) (?:final |next |every )?(?:answers?|repl(?:y|ies)|responses?|summary|output|message)\b",  # noqa: E501
            r"\b(?:when|while|if) (?:you (?:are )?)?(?:summari[sz]ing|summari[sz]e|describing|answering|asked about|reviewing|rating|ranking|scoring)\b <6>(?:you must|always|only|do not|don't|say|state|recommend|include|give)\b",  # noqa: E501
            r"\b(?:give|assign|award) (?:this|the) <2>(?:a|the|an)? ?(?:positive|highest|perfect|top|maximum|best|favou?rable) (?:review|score|rating|recommendation|marks?)\b",  # noqa: E501
        ),
    ),
    Rule(
        BOUNDARY,
        (
            r"(?:-{3,}|={3,}|#{3,}|\*{3,}|<|\[)\s*(?:end|begin|start)(?:ing)? (?:of )?(?:the )?(?:document|context|user input|input|tool (?:output|result|response)|data|article|system prompt|prompt|untrusted (?:content|data|text)|(?:new |real |system |hidden )?instructions|user (?:message|query|data)|system (?:message|note)|search results?|external content)\b",  # noqa: E501
            r"\b(?:end of|that was the end of) (?:tool (?:output|result|response)|untrusted (?:content|data)|user input|search results|the document)\.? <4>(?:now|next|new|system|user|the user|you)\b",  # noqa: E501
        ),
    ),
)
