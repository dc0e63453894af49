"""What callers choose must not fill the memory: names of tools that no server listed."""

from extproc.arguments.guard import Settings
from extproc.policy.names import Names
from extproc.policy.tool_rules import ToolRules

WORSE = {"path": "../../etc/passwd"}


def rules():
    return ToolRules(settings=((Names(("lax_*",)), Settings(defaults=False)), (Names(("*",)), Settings())))


def test_no_name_of_a_tool_that_no_list_has_shown_is_kept():
    held = rules()
    for number in range(100):
        assert held.problems(f"tool_{number}", None, WORSE)
        assert held.notes(f"tool_{number}") == ("schema-not-known",)
    assert not held._guards
    assert len(held._schemaless) == 1


def test_tools_that_no_list_has_shown_are_held_to_what_counts_for_their_names():
    held = rules()
    assert held.problems("read", None, WORSE)
    assert not held.problems("lax_read", None, WORSE)
    assert not held.problems("read", None, {"script": "a; rm -rf /"})
    assert held.problems("run_shell", None, {"script": "a; rm -rf /"})


def test_a_tool_that_is_not_listed_any_more_is_not_held_to_its_old_schema():
    held = rules()
    listed = {"name": "read", "inputSchema": {"type": "object", "required": ["id"]}}
    assert held.problems("read", listed, {})
    assert not held.problems("read", None, {})
    assert held.notes("read") == ("schema-not-known",)
