"""MaskProfiles to compiled masking. The only file of this room that knows the masking room.

Several policies may allow one call and name different profiles. Then the answer is masked by the union of their rules,
compiled as one set, and of two actions for one rule the stricter one counts. Running one profile after the other would
not do: the first can cut a key in two by masking digits inside it, and the second then no longer knows it for a key.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from extproc.errors import Problem, RuleError
from extproc.exchange import texts
from extproc.exchange.model import JsonObject
from extproc.masking import MaskFilter, Rule, RuleSet, literal_rule, rules
from extproc.masking.finder import Finder
from extproc.policy.complaints import similar
from extproc.policy.documents import MaskLiterals, MaskPattern, MaskProfileSpec
from extproc.policy.envelope import Document
from extproc.policy.nodes import Loc
from extproc.policy.runtime import Masking

LARGEST_LIST = 1 << 20  # bytes of a file of literals
_STRICTNESS = ("partial", "redact", "drop")


@dataclass(frozen=True, slots=True)
class Profile:
    """A MaskProfile's rules by name, in order of precedence, each with the action it has there."""

    name: str
    rule: str
    rules: Mapping[str, Rule]
    actions: Mapping[str, str]

    def masking(self) -> Masking:
        """Compiles, which takes milliseconds. Raises `RuleError` when the rules are too much together."""
        ruleset = RuleSet(self.rules.values(), actions=dict(self.actions))
        return Masking(self.name, lambda: MaskFilter(ruleset), self.rule)

    def finding(self) -> Callable[[JsonObject], tuple[bool, tuple[str, ...]]]:
        """Whether a request holds a match of any of these rules, and notes on what could not be looked into."""
        finder = Finder(self.rules.values())

        def finds(doc: JsonObject) -> tuple[bool, tuple[str, ...]]:
            said, notes = texts.of(doc)
            return bool(finder.found(said, enough=1)), notes

        return finds


def union(profiles: Iterable[Profile]) -> Profile:
    """What satisfies all of these profiles: own rules have one meaning in all of them (`profile_problems`)."""
    chosen = sorted(profiles, key=lambda profile: profile.name)
    merged: dict[str, Rule] = {}
    actions: dict[str, str] = {}
    for profile in chosen:
        for name, rule in profile.rules.items():
            merged.setdefault(name, rule)
            actions[name] = max(actions.get(name, "partial"), profile.actions[name], key=_STRICTNESS.index)
    return Profile("+".join(p.name for p in chosen), ", ".join(p.rule for p in chosen), merged, actions)


def combiner(profiles: Mapping[str, Profile], single: Mapping[str, Masking]) -> Callable[[frozenset[str]], Masking]:
    """`Policy.combined`: the masking for a set of profile names. Each set is compiled when it is first needed."""
    known: dict[frozenset[str], Masking] = {frozenset((name,)): masking for name, masking in single.items()}

    def combined(names: frozenset[str]) -> Masking:
        found = known.get(names)
        if found is None:
            found = known[names] = union(profiles[name] for name in names).masking()
        return found

    return combined


def profile_of(document: Document, builtin: Mapping[str, Rule]) -> Profile | list[Problem]:
    """The profile, or everything that is wrong with it. `builtin` are the rules that come with the gateway."""
    spec = document.spec
    assert isinstance(spec, MaskProfileSpec)
    problems: list[Problem] = []
    chosen: dict[str, Rule] = {}
    actions: dict[str, str] = {}
    named = [use for use in spec.rules if use.rule != "*"]
    for use in (*(use for use in spec.rules if use.rule == "*"), *named):
        names = builtin if use.rule == "*" else (use.rule,)
        for name in names:
            rule = builtin.get(name)
            if rule is None:
                place = ("spec", "rules", spec.rules.index(use))
                hint = similar(name, builtin) or f"; there are {', '.join(sorted(builtin))}"
                problems.append(document.raw.problem(place, f"there is no masking rule {name}{hint}"))
                continue
            # "*" means every rule, so its action bends to those that cannot have it.
            block = rule.until is not None and use.rule == "*" and use.action == "partial"
            chosen[name] = rule
            actions[name] = rule.action if use.action is None or block else use.action
    for loc, make in _own(document, spec):
        try:
            rule = make()
        except RuleError as error:
            problems.append(document.raw.problem(loc, str(error)))
            continue
        except (OSError, UnicodeDecodeError, ValueError) as error:
            problems.append(document.raw.problem((*loc, "file"), _unreadable(error)))
            continue
        if rule.name in chosen or rule.name in builtin:
            problems.append(document.raw.problem((*loc, "name"), f"{rule.name} is taken; choose another name"))
        chosen[rule.name] = rule
        actions[rule.name] = rule.action
    return problems or Profile(document.name, document.rule, chosen, actions)


def own_name_problems(documents: Iterable[Document]) -> list[Problem]:
    """Two profiles must not mean different things by one name: their union could not tell which."""
    problems: list[Problem] = []
    holders: dict[str, tuple[Document, object]] = {}
    for document in documents:
        assert isinstance(document.spec, MaskProfileSpec)
        parts: list[tuple[str, int, MaskPattern | MaskLiterals]] = []
        parts += [("patterns", number, pattern) for number, pattern in enumerate(document.spec.patterns)]
        parts += [("literals", number, literals) for number, literals in enumerate(document.spec.literals)]
        for field, number, part in parts:
            holder, other = holders.setdefault(part.name, (document, part))
            if holder is not document and other != part:
                message = f"{part.name} means something else in {holder.rule}; choose another name"
                problems.append(document.raw.problem(("spec", field, number, "name"), message))
    return problems


def builtin_rules() -> dict[str, Rule]:
    """The rules that come with the gateway, by name."""
    return {rule.name: rule for rule in rules()}


def _own(document: Document, spec: MaskProfileSpec) -> Iterable[tuple[Loc, Callable[[], Rule]]]:
    for number, pattern in enumerate(spec.patterns):
        yield ("spec", "patterns", number), lambda p=pattern: Rule(  # type: ignore[misc]
            p.name, f"Pattern of {document.rule}", p.pattern, action=p.action, positives=p.positives,
            negatives=p.negatives,
        )  # fmt: skip
    for number, literals in enumerate(spec.literals):
        yield (
            ("spec", "literals", number),
            lambda p=literals: literal_rule(  # type: ignore[misc]
                p.name, _texts(p, document.raw.folder), ignore_case=not p.case_sensitive, action=p.action
            ),
        )


def _texts(literals: MaskLiterals, folder: str) -> tuple[str, ...]:
    if literals.file is None:
        return literals.values or ()
    path = Path(folder, literals.file)
    if path.stat().st_size > LARGEST_LIST:
        raise ValueError(f"is larger than {LARGEST_LIST >> 20} MiB; split it")
    return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def _unreadable(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror or 'no such file'}); correct the path, relative to this document"
    return "is not UTF-8 text; convert it" if isinstance(error, UnicodeDecodeError) else str(error)
