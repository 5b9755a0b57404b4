from lienthong.adapters.registers import facts_of, named
from lienthong.registers import rules
from lienthong.registers.events import event_file


def test_the_shipped_file_is_what_the_rules_say() -> None:
    assert rules.FILE.read_bytes() == event_file(rules.facts())


def test_the_shipped_rules_are_valid_facts_with_a_grade_and_a_source_each() -> None:
    shipped = named(rules.NAME)
    assert shipped is not None
    facts = facts_of(shipped)
    assert len(facts) == 12
    assert all(fact.data["grade"] in {"2", "1", "r", "m"} and fact.data["source"] for fact in facts)


def test_no_group_stands_at_two_levels_of_one_table() -> None:
    for kind, data in rules.facts():
        if kind == "table.recorded" and data["name"] == "benefit_levels":
            groups = [row["group"] for row in data["rows"]]
            assert len(groups) == len(set(groups)) > 50
