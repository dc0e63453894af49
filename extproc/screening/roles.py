"""Marks of who speaks, which only a host may write: chat templates' tokens, turns, system blocks. Data."""

from extproc.screening.model import Rule, Sign

TOKEN = Sign("role-token", "It holds a chat template's control token.", description=75, result=50)
TAG = Sign("role-tag", "It holds a tag that marks system text or a tool's result.", description=60, result=42)
TURN = Sign("role-turn", "It plays a turn of the conversation.", description=50, result=35)
LABEL = Sign("role-label", "A line begins with the label of a speaker.", description=20, result=12)
NOTICE = Sign("system-notice", "It poses as a notice of the system or an administrator.", description=50, result=40)
BLOCK = Sign("urgent-block", "It holds a block of the kind that poisoned descriptions use.", description=55, result=42)

RULES = (
    Rule(
        TOKEN,
        (
            r"<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|end|eot_id|eom_id|start_header_id|end_header_id|begin_of_text|end_of_text|end_of_turn|channel|message|tool_call|tool_response|python_tag|startoftext)\|>",
            r"<(?:start|end)_of_turn>|<｜(?:begin|end)▁of▁sentence｜>|<｜(?:User|Assistant)｜>|\|(?:begin|end)_of_prompt\|",
            r"\[/?INST\]|<</?SYS>>|\[/?SYSTEM_PROMPT\]|\[(?:AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CALLS)\]",
        ),
    ),
    Rule(
        TAG,
        (
            r"</?(?:tool_result|tool_results|tool_response|function_results?|function_calls?|tool_call|tool_output|tool_use|tool_use_error|function_response|untrusted\w{0,20}|search_results?)>",
            r"</?(?:system|sys|system[-_ ]?(?:prompt|reminder|message|note|instructions?|override)|developer|admin|assistant|human|user_query|user_message|user_input|user_request)>",  # noqa: E501
            r"<(?:antml:|/antml:)\w+|<invoke name=",
        ),
    ),
    Rule(
        TURN,
        (
            r"(?m:^[\x20\t>*_]{0,4}#{1,6}[\x20\t]*\**(?:system|assistant|human)(?:[\x20\t](?:prompt|message|note|override|instructions?))?\**[\x20\t]*:)",
            r"(?m:^[\x20\t]*#{2,4}[\x20\t]*(?-i:Instruction|Response):[\x20\t]*$)",
            r"\n[\x20\t]*\r?\n[\x20\t]*(?-i:Human|Assistant|H|A):[\x20\t]",
            r"(?m:^[\x20\t]*(?-i:Human|Assistant|USER|ASSISTANT|SYSTEM|User|System)[\x20\t]*:[\x20\t]*(?:ignore|you must|you are|please|disregard|forget|new|from now|sure|now|read|call|send|override|i will|i'll))",  # noqa: E501
        ),
    ),
    Rule(
        LABEL,
        (
            r"(?m:^[\x20\t]*(?-i:Human|Assistant|SYSTEM|ASSISTANT)[\x20\t]*:[\x20\t])",
            r"\"role\"\s*:\s*\"(?:system|developer|assistant)\"",
        ),
    ),
    Rule(
        NOTICE,
        (
            r"[\[({<*]{1,3}\s*(?:system|admin|administrator|developer|anthropic|openai|security|moderator|root)[ _-](?:message|note|notes|override|prompt|instructions?|notice|update|alert|command|directive|warning)",  # noqa: E501
            r"(?m:^[\x20\t>*#_-]*(?:system|admin|administrator|developer|anthropic|openai|root)[ -](?:message|note|override|prompt|instructions?|notice|directive|command)\**[\x20\t]*:)",  # noqa: E501
            r"\b(?:system|admin(?:istrator)?|developer|security|root) override\b",
            r"\[\s*(?:system|admin|developer)\s*\]\s*:?\s*(?:you|ignore|new|the (?:user|assistant)|please|override|call|disregard|instruction)",  # noqa: E501
            r"\bthis is (?:an? |the )(?:official |automated |urgent |mandatory )?(?:system|admin(?:istrator)?|developer|security|anthropic|openai) (?:message|instruction|notice|directive|command|request)",  # noqa: E501
        ),
    ),
    Rule(
        BLOCK,
        (
            r"</?(?:important|secret|hidden|critical|urgent|mandatory|priority|instructions?[-_ ]for[-_ ](?:the[-_ ])?(?:ai|assistant|model|agent|llm))>",  # noqa: E501
            r"\[(?:hidden|secret) (?:instructions?|note|message)s?\]",
        ),
    ),
)
