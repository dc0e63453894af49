"""Every promise the gateway makes, with an id, and where it was made.

A test holds a promise by naming it:

    @pytest.mark.promise("llm.rewrite")
    def test_...

`tests/unit/test_requirements.py` fails when a promise is held by no test, when one that was made about the running
gateway is held by no test through the real Envoy (`envoy`), and when a test names a promise that nobody made.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Promise:
    """`source` is the point of the issue ("2.3": issue 2, numbered point 3; other parts by their heading) or the
    section of the design that makes it."""

    id: str
    source: str
    text: str
    envoy: bool = False


def _promises(source: str, prefix: str, envoy: bool, texts: dict[str, str]) -> tuple[Promise, ...]:
    return tuple(Promise(f"{prefix}.{name}", source, text, envoy) for name, text in texts.items())


PROMISES: tuple[Promise, ...] = (
    *_promises(
        "2.1",
        "identity",
        True,
        {
            "sources": "A token is found in Authorization: Bearer, x-api-key and api-key.",
            "refused": "No token, a bad, expired or wrong one: 401 in the dialect, each with its own reason.",
            "providers": "Several identity providers; issuer, audience, asymmetric algorithms, times and typ are held.",
            "keys": "Keys come from JWKS URL, discovery, file or inline; unknown kids fetch once, at a limited rate.",
            "stale-keys": "Known keys serve while the issuer is down, up to a stated age.",
            "claims": "Claims map to subject, groups, e-mail and tenant; any claim can be used in conditions.",
        },
    ),
    Promise("identity.cached", "2.1", "A verified token is not verified twice, bounded by expiry and a maximum age."),
    *_promises(
        "2.2",
        "llm",
        True,
        {
            "dialects": "OpenAI Chat, OpenAI Responses and Anthropic Messages are served, streamed or not.",
            "access": "Policy decides model access by identity.",
            "rewrite": "Model, path and host become what the policy says; aliases are resolved.",
            "models": "GET /v1/models lists only what this caller may use.",
            "count-tokens": "count_tokens is judged and rewritten like a message.",
            "survives": "Unknown fields, beta and version headers, key order and big integers survive.",
            "judged-is-sent": "The body that was judged is the body that is sent.",
        },
    ),
    *_promises(
        "2.3",
        "mcp",
        True,
        {
            "route": "Servers are reached at /mcp/<server> and by host, each with its own credential.",
            "eras": "Sessions of 2025-06-18 and 2025-11-25, and the stateless 2026-07-28.",
            "tools": "Tools are allowed by identity, with wildcards; a denied call is answered so that clients go on.",
            "filtered": "Lists show only what may be used, in JSON and SSE, page by page, cached for this caller only.",
            "headers": "Mcp-Method and Mcp-Name are held against the body.",
            "methods": "Prompts, resources and all other methods are under policy too.",
            "batches": "Batches are refused.",
            "judged-is-sent": "The message that was judged is the message that is sent.",
        },
    ),
    *_promises(
        "2.4",
        "masking",
        True,
        {
            "document": "Plain JSON answers of every dialect are masked before any of them leaves.",
            "stream": "Streams of every dialect are masked as they pass, and flow while they are.",
            "tool-arguments": "Tool-call arguments are masked as the JSON they become.",
            "mcp": "MCP results, notifications and progress are masked, in JSON and SSE.",
        },
    ),
    Promise("masking.cuts", "2.4", "Output is the same for every way of cutting the input."),
    Promise("masking.hold-back", "2.4", "Only what may still become part of a match waits."),
    Promise("masking.rules", "2.4", "The first rule set finds its positives and spares its negatives."),
    Promise("masking.own-rules", "2.4", "Users define patterns and literal lists, which prove themselves at load."),
    Promise("masking.api", "2.4", "StreamMasker(rules): feed(text) and flush()."),
    *_promises(
        "2.5",
        "credentials",
        True,
        {
            "injected": "The provider's credential is sent, in the header and format that it reads.",
            "stripped": "No form of the client's credential reaches an upstream.",
            "rotated": "A credential file is rotated without restart, also as Kubernetes mounts it.",
            "unseen": "No credential is in any log, error, metric, repr or rendered file readable by others.",
            "unavailable": "A credential that cannot be had refuses the call and is named without its value.",
        },
    ),
    *_promises(
        "2.6",
        "decisions",
        True,
        {
            "default-deny": "What no policy allows is denied.",
            "observe": "Policies that observe are recorded and not enforced.",
            "conditions": "CEL conditions decide; one that cannot be evaluated denies.",
            "reasons": "Each refusal has its reason, what to do, and the id of its record.",
            "audit": "One record per exchange says who, what, why and what it cost.",
            "audit-sinks": "Records go to stdout or a rotated file, without blocking; what is lost is counted.",
        },
    ),
    *_promises(
        "2.7",
        "operation",
        True,
        {
            "reload": "Policy and secrets are reloaded under load without one failed request.",
            "bad-policy": "A bad policy keeps the last good one and says so in log, metric and /readyz.",
            "admin": "/healthz, /readyz and /metrics answer on the admin port and hold no secret.",
            "drain": "On SIGTERM open streams finish within a stated time.",
            "workers": "A dead worker is restarted and unnoticed before its first answer.",
            "fail-closed": "A processor that is killed, absent or failing never lets anything pass unpoliced.",
        },
    ),
    *_promises(
        "2, the two commands",
        "demo",
        True,
        {
            "starts": "The demo starts in under five seconds and its curl lines work.",
            "ports": "A taken port gets a clear error naming it.",
            "ends": "Ctrl-C, or the death of the supervisor, ends every process that was started.",
        },
    ),
    *_promises(
        "2, the command line",
        "cli",
        True,
        {
            "help": "Every command has help that teaches.",
            "check": "check prints every problem at once, with its place and what to write instead.",
            "test": "test runs policy tests and prints failures as a difference.",
            "explain": "explain tells which documents matched, which did not and why.",
            "render": "What render writes is accepted by Envoy and governs like up.",
            "token": "token mints a token for the running demo.",
        },
    ),
    *_promises(
        "2, bad input",
        "bad-input",
        True,
        {
            "json": "Not JSON, JSON of the wrong shape, deeply nested, invalid UTF-8, lone surrogates: refused.",
            "size": "Bodies over the cap are refused and told the cap; answers too large to inspect are refused.",
            "duplicate-keys": "Duplicate keys smuggle nothing.",
            "content-type": "Wrong and missing content types are refused.",
            "compressed-request": "Compressed requests are read, bounded, or refused.",
            "compressed-response": "Compressed answers are read, bounded, or refused.",
            "sse": "An event cut at every byte, and a line of 10 MB, are masked or not passed at all.",
            "upstream": "Death in mid-stream, trailers, errors with an SSE type, empty answers.",
            "upgrade": "Upgrade: websocket gets 426.",
            "http-versions": "HTTP/1.1 and HTTP/2 clients are served.",
            "client-gone": "A client that goes away in mid-stream ends the call and is recorded.",
            "killed": "A processor killed in any phase means an error, never an unpoliced answer.",
            "no-processor": "Envoy without a processor answers 500 and passes nothing.",
            "hostile-tokens": "alg none, HS256 with the public key, unknown crit, a token of 1 MB: refused.",
            "header-names": "Header names in odd case are the same headers.",
            "two-authorization-headers": "Two Authorization headers are refused.",
        },
    ),
    *_promises(
        "2, clients we did not write",
        "clients",
        True,
        {
            "openai": "The official openai SDK works unchanged: plain, streamed, tool calls, its own exceptions.",
            "anthropic": "The official anthropic SDK works unchanged: plain, streamed, tool calls, its own exceptions.",
            "mcp": "The official mcp SDK's client works unchanged, in both eras.",
        },
    ),
    *_promises(
        "3.1",
        "dialects",
        True,
        {
            "served": "Every dialect of the documentation is served to its clients, streamed where it streams.",
            "upstream": "Each provider is asked at its own paths, in its own words, with no header it does not know.",
        },
    ),
    Promise("dialects.judged", "3.1", "What policy judges is found wherever an API can hide it, or refused."),
    *_promises(
        "3.2",
        "translation",
        True,
        {
            "pairs": "Requests and answers of each pair are translated, streamed or not, and unchanged SDKs read them.",
            "tools": "Tool loops of three turns and parallel tool calls go through every pair.",
            "content": "Images, system prompts, structured output and reasoning go through the pairs that have them.",
            "errors": "A provider's error is the exception that the client's own SDK raises.",
            "broken": "A stream that breaks off does not end well, and a client that leaves ends the provider's work.",
            "losses": "What has no equivalent is refused by name, or dropped and named in a header and the audit.",
        },
    ),
    Promise("translation.table", "3.2", "Each row of the documentation's tables has a test, and each test a row."),
    Promise("translation.golden", "3, prove", "Golden cases for each pair, in both directions."),
    Promise("translation.there-and-back", "3, prove", "There and back keeps the meaning where nothing is lost."),
    Promise("translation.cuts", "3, prove", "Every stream, cut at every byte, gives the same result."),
    Promise("translation.flows", "3.2", "Streams are translated event by event: what an event says is told at once."),
    Promise("translation.page", "3, done when", "The table of pairs has a row, made from the tests, for each pair."),
    *_promises(
        "3.3",
        "credentials",
        True,
        {
            "aws": "Requests to AWS are signed so that a strict verifier accepts them.",
            "gcp": "Google's access tokens are injected, and seen by nobody.",
            "azure": "Entra ID's access tokens are injected, and seen by nobody.",
            "passed-over": "A credential that cannot be had fails over or refuses with its reason; /readyz tells why.",
        },
    ),
    Promise("credentials.aws-keys", "3.3", "AWS keys from environment, shared files, web identity and pod identity."),
    Promise("credentials.gcp-sources", "3.3", "Service-account keys, workload identity federation, metadata server."),
    Promise("credentials.azure-sources", "3.3", "Client secrets, federated assertions and managed identities."),
    Promise("credentials.ahead", "3.3", "Tokens and keys are refreshed ahead of time, off the request path."),
    Promise("credentials.extras", "3.3", "Clouds are extras: without one, what to install is told, and nothing fails."),
    Promise("credentials.sigv4", "3, prove", "Signatures agree with botocore's own over generated requests."),
    *_promises(
        "3.4",
        "routing",
        True,
        {
            "order": "Targets are chosen by order and weight.",
            "conditions": "Targets take part by conditions on identity, class of data and size.",
            "sticky": "A conversation stays with its target, on every worker.",
            "told": "The answer and the audit say which target served, the answer only if policy allows.",
        },
    ),
    Promise(
        "routing.shares", "3.4", "One key has one sequence of targets; a target that comes or goes moves no other."
    ),
    Promise(
        "routing.documents", "3.4", "Mistakes in targets, failover and credentials are told with place and remedy."
    ),
    *_promises(
        "3.4",
        "failover",
        True,
        {
            "saves": "Connect errors, 429, 5xx, silence and answers that break off are saved by the next target.",
            "clean": "The second provider sees nothing of the first's attempt.",
            "begun": "A stream that has begun is not begun anew elsewhere.",
            "client-errors": "What is wrong with the call itself is asked once and told.",
            "last-word": "When none can serve, the last failure is told in the client's own dialect.",
            "circuit": "A provider that keeps failing is left alone for a while.",
            "forged": "Neither clients nor providers gain by forging the headers that attempts use.",
            "load": "Under load no request is lost that could be saved, and none is answered twice.",
        },
    ),
    *_promises(
        "3.5",
        "sensitivity",
        True,
        {
            "cleared": "A call goes, in any attempt, only to providers that may receive its class of data.",
            "found": "What detectors find in a call raises its class.",
            "claimed": "The token's word raises the class; a word that is none counts as the highest.",
            "exposed": "Who has used an MCP server is held to its class by every worker.",
            "refused": "A call that no provider may receive is refused with its reason and sent nowhere.",
        },
    ),
    Promise("sensitivity.highest", "3.5", "Of all that says a call's class, the highest counts."),
    *_promises(
        "3.6",
        "accounting",
        True,
        {
            "kinds": "Tokens are counted by kind, streamed or not, in the same words for every API.",
            "cost": "A price in the policy makes the audit and the metrics tell the cost.",
            "asked": "Usage is asked of the provider where it must be, and hidden from who did not ask.",
            "metrics": "gen_ai_* metrics have the tokens by kind.",
        },
    ),
    Promise("accounting.every-api", "3.6", "Every dialect's usage is read, streamed or not."),
    Promise("catalogue.entries", "3.7", "Every provider of the catalogue has hosts that are its alone, and a source."),
    Promise("catalogue.policy", "3.7", "The catalogue is listed by what a policy says of each: approved or not."),
    Promise("catalogue.asked", "3.7", "Whose host a client asked for is recorded.", envoy=True),
    *_promises(
        "3, prove",
        "clients",
        True,
        {
            "boto3": "boto3's bedrock-runtime client works unchanged, and its calls are signed anew.",
            "google-genai": "The official google-genai SDK works unchanged.",
        },
    ),
    *_promises(
        "4.1",
        "mcp",
        True,
        {
            "every-method": "Every method in both directions and eras passes under policy, or is not found.",
            "negotiation": "Statuses, codes and versions that clients negotiate by pass unchanged.",
            "streams": "GET streams and events pass, and can be taken up again.",
            "rounds": "Calls of several rounds, subscriptions and changes of lists reach clients.",
            "tasks": "Tasks are asked for by their ids, and their results are held to policy.",
            "asks": "What a server may ask of clients is policy's to say, in every form of asking.",
            "old-transport": "HTTP+SSE of 2024-11-05 is refused with its reason.",
            "origins": "Web pages of a foreign origin get nothing.",
        },
    ),
    *_promises(
        "4.2",
        "tools",
        True,
        {
            "hints": "Annotations of trusted servers choose tools; those of others are not believed.",
            "roles": "Roles are granted to groups, and what they deny stays denied.",
        },
    ),
    *_promises(
        "4.3",
        "arguments",
        True,
        {
            "defaults": "Attacks in arguments are refused with no policy written; harmless ones pass.",
            "schema": "Arguments are held against the tool's own schema, on every worker.",
            "limits": "Numbers and values of named arguments have limits.",
            "switch": "Every check can be switched off, alone and altogether.",
            "rules": "Some tools have rules of their own.",
            "sizes": "A schema that is a bomb costs its own tool only.",
        },
    ),
    Promise("arguments.corpus", "4, prove", "Of 300 attacks all are caught, of 300 harmless at most 1 % are refused."),
    Promise("arguments.explained", "4.3", "Policy tests and explanations say what the gateway would say of a call."),
    *_promises(
        "4.4",
        "integrity",
        True,
        {
            "drift": "A definition that is not the approved one is neither listed nor called, or only noted.",
            "unknown": "A tool that nobody approved is neither listed nor called.",
            "descriptions": "Definitions and other texts that give the model orders are not passed on.",
        },
    ),
    Promise("integrity.digest", "4.4", "A digest covers all of a definition, however it was written."),
    Promise("integrity.diff", "4.4", "What changed is shown so that a person can read it."),
    Promise("integrity.signed", "4.4", "A list that its publisher signed is believed, and nothing like it."),
    Promise("integrity.shadows", "4.4", "Tools that imitate another server's are reported, honest ones are not."),
    Promise("screening.corpus", "4.4", "Screening is measured on attacks and on harmless texts."),
    *_promises(
        "4.5",
        "results",
        True,
        {
            "screened": "Results and errors that give the model orders are stripped, or refused.",
            "size": "Too large a result is cut and stays one, or is refused.",
            "class": "A tool's class of data counts for its callers' calls of models.",
        },
    ),
    *_promises(
        "4.6",
        "oauth",
        True,
        {
            "metadata": "Each protected server has its document, and a 401 says where it is.",
            "audience": "A token for one server is refused at another.",
            "step-up": "A call that lacks a scope is told which.",
            "no-passthrough": "The upstream gets the gateway's own credential and never the client's.",
            "per-user": "A stored token is its owner's alone.",
            "exchange": "An exchanged token is never another's, however many come at once.",
            "bound": "Sessions, tasks and states are good for the caller who was given them, and nobody else.",
        },
    ),
    *_promises(
        "4.7",
        "audit",
        True,
        {
            "arguments": "The record tells the arguments of a call, masked, where policy lets it.",
            "result": "The record sums up the result.",
        },
    ),
    *_promises(
        "4, prove",
        "proof",
        True,
        {
            "conformance": "No check of the official suite that passes directly fails through the gateway.",
            "fastmcp": "FastMCP's client and server, and the server everything, work unchanged.",
            "ids": "Answers with other ids are inspected like the right one.",
            "flood": "A flood of events costs bounded memory, and others are served.",
            "duplicates": "Of two tools of one name one is listed.",
        },
    ),
    Promise("docs.mcp", "4, done when", "Each document that the pages show loads."),
)
