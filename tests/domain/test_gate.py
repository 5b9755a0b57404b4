"""The gate by fault, by name; and the annulment of a batch."""

from datetime import date

import pytest

from lienthong.domain.annulment import AnnulmentFault, AnnulmentRefused, annul_batch
from lienthong.domain.facts import Fact
from lienthong.domain.gate import GateReport, check
from lienthong.domain.register import Register
from lienthong.domain.succession import PlaceKey, Reference, State
from tests.support.facts import (
    annulled,
    commune,
    contract,
    facility,
    facility_reorganised,
    published,
    register_of,
    reorganised,
    revised,
    unit,
)

DAY = "2025-07-01"
AFTER = date(2025, 8, 1)
A, B, C = (commune(code) for code in ("00001", "00002", "00003"))
DISTRICT = ("district", "001")


def codes(report: GateReport) -> list[tuple[str | None, str]]:
    return [(fault.fact_id, fault.code) for fault in report.faults]


def faults_of(standing: list[Fact], *facts: Fact) -> list[tuple[str | None, str]]:
    return codes(check(register_of(*standing), facts))


def test_a_batch_that_contradicts_nothing_passes_and_changes_nothing() -> None:
    register = register_of(unit(A), unit(B))
    report = check(register, [unit(A, DAY), reorganised(DAY, [(A, A, "whole"), (B, A, "whole")], [A, B])])
    assert report.passed
    assert report.base == register.last_batch
    assert register.territory.count(AFTER) == {"commune": 2}
    assert report.register.territory.count(AFTER) == {"commune": 1}


def test_the_summary_counts_units_by_level_before_and_after_on_the_last_day_of_effect() -> None:
    province, other = ("province", "01"), ("province", "02")
    register = register_of(unit(province), unit(other), unit(A, parent=province), facility("01C51", commune=(*A, None)))
    summary = check(
        register,
        [
            unit(B, DAY, parent=province),
            unit(C, DAY, parent=province),
            reorganised(DAY, [(A, B, "part"), (A, C, "part")], [A], id="communes"),
            reorganised(DAY, [(other, province, "whole")], [other], id="provinces"),
        ],
    ).summary
    assert summary.on == date(2025, 7, 1)
    assert (summary.units_before, summary.units_after) == (
        {"province": 2, "commune": 1},
        {"province": 1, "commune": 2},
    )
    assert summary.divided == (PlaceKey("commune", "00001"),)
    assert (summary.facilities_before, summary.facilities_after) == (1, 1)
    assert (summary.without_successor_before, summary.without_successor_after) == ((), ("01C51",))


@pytest.mark.parametrize(
    ("standing", "facts", "expected"),
    [
        ([], [unit(A, parent=DISTRICT)], ("commune/00001/-", "parent_unknown")),
        (
            [unit(DISTRICT, "2000-01-01")],
            [unit(A, "1999-01-01", parent=DISTRICT)],
            ("commune/00001/1999-01-01", "parent_unknown"),
        ),
        ([unit(DISTRICT), unit(A, parent=DISTRICT)], [annulled(unit(DISTRICT))], ("district/001/-", "parent_unknown")),
        ([], [unit(A, parent=A)], ("commune/00001/-", "parent_cycle")),
        (
            [unit(DISTRICT), unit(A, parent=DISTRICT)],
            [reorganised(DAY, [], [DISTRICT])],
            ("test-2025-07-01/001", "left_orphan"),
        ),
        ([], [unit(B, DAY), reorganised(DAY, [(A, B, "whole")])], ("test-2025-07-01/00002", "predecessor_unknown")),
        ([], [reorganised(DAY, [], [A])], ("test-2025-07-01/00001", "predecessor_unknown")),
        ([unit(A)], [reorganised(DAY, [(A, B, "whole")], [A])], ("test-2025-07-01/00002", "successor_unknown")),
        ([unit(A)], [unit(A, DAY)], ("commune/00001/2025-07-01", "code_in_use")),
        ([unit(A, DAY)], [unit(A)], ("commune/00001/-", "code_in_use")),
        (
            [unit(A), unit(B), unit(C)],
            [reorganised(DAY, [(A, B, "whole"), (A, C, "whole")], [A])],
            ("test-2025-07-01/00002", "whole_divided"),
        ),
        ([unit(A), unit(B)], [reorganised(DAY, [(A, B, "whole")])], ("test-2025-07-01/00002", "whole_survives")),
        (
            [],
            [facility("01C51"), facility_reorganised(DAY, [("01C51", "01X", "whole")], ["01C51"])],
            ("test-2025-07-01/01X", "successor_unknown"),
        ),
        ([facility("01C51")], [facility("01C51", DAY)], ("01C51/2025-07-01", "code_in_use")),
        ([], [annulled(unit(A))], ("commune/00001/-", "nothing_to_annul")),
        ([], [], (None, "nothing_to_publish")),
    ],
)
def test_each_fault_is_named_with_its_fact(standing: list[Fact], facts: list[Fact], expected: tuple[str, str]) -> None:
    assert faults_of(standing, *facts) == [expected]


def test_a_circle_of_parents_is_refused_at_each_unit_of_it() -> None:
    found = faults_of([], unit(A, parent=B), unit(B, parent=A))
    assert found == [("commune/00001/-", "parent_cycle"), ("commune/00002/-", "parent_cycle")]


def test_a_unit_moved_under_its_own_child_is_refused() -> None:
    standing = [unit(DISTRICT), unit(A, parent=DISTRICT)]
    assert faults_of(standing, revised(standing[0], parent={"level": "commune", "code": "00001"})) == [
        ("district/001/-", "parent_cycle")
    ]


def test_a_revision_below_the_one_that_stands_would_be_lost() -> None:
    first = unit(A)
    assert faults_of([revised(first, name="Xã đúng")], first) == [("commune/00001/-", "revision_lost")]


def test_a_revision_given_other_content_is_refused_against_the_register_and_inside_the_batch() -> None:
    one, other = unit(A, name="Xã A"), unit(A, name="Xã B")
    assert faults_of([one], other) == [("commune/00001/-", "revision_conflict")]
    assert faults_of([], one, other) == [("commune/00001/-", "revision_conflict")]


def test_the_same_fact_again_is_no_fault() -> None:
    assert check(register_of(unit(A)), [unit(A), unit(B)]).passed


def test_the_same_batch_again_is_recognised() -> None:
    assert faults_of([unit(A)], unit(A)) == [(None, "already_accepted")]


def test_a_later_reorganisation_that_loses_its_predecessor_is_named_by_the_fact_that_took_it() -> None:
    standing = [unit(A), unit(B, "2026-01-01"), reorganised("2026-01-01", [(A, B, "whole")], [A])]
    assert faults_of(standing, reorganised(DAY, [], [A])) == [("test-2025-07-01/00001", "predecessor_unknown")]


def test_a_merger_annulled_without_its_new_version_leaves_a_code_in_use() -> None:
    merger = reorganised(DAY, [(A, A, "whole")], [A])
    assert faults_of([unit(A), unit(A, DAY), merger], annulled(merger)) == [(merger.id, "code_in_use")]


def test_a_part_without_the_rest_and_loose_references_are_warned_of_and_pass() -> None:
    report = check(
        register_of(unit(A)),
        [
            unit(B, DAY),
            reorganised(DAY, [(A, B, "part")], [A]),
            facility("01C51", commune=("commune", "99999", None)),
            contract("1", "01C99", "2024-01-01"),
        ],
    )
    assert report.passed
    assert [fault.code for fault in report.warnings] == [
        "part_without_rest",
        "commune_unknown",
        "contract_without_facility",
    ]


def test_every_sentence_names_its_places_in_both_languages() -> None:
    (fault,) = check(register_of(unit(A)), [reorganised(DAY, [(A, B, "whole")], [A])]).faults
    assert fault.en == "test-2025-07-01/00002 leads to commune 00002, but there is no commune 00002 on 2025-07-01."
    assert "commune 00002 không tồn tại vào 2025-07-01" in fault.vi


def test_invented_facts_are_listed() -> None:
    report = check(Register.empty(), [unit(A), unit(B, illustrative=True)])
    assert report.illustrative == (("unit", "commune/00002/-"),)


def test_annulling_a_merger_restores_what_stood_before_it() -> None:
    before = register_of(unit(A), unit(B))
    merged = published(before, unit(A, DAY), reorganised(DAY, [(A, A, "whole"), (B, A, "whole")], [A, B]))
    undone = annul_batch(merged, merged.last_batch or "", "published by mistake")
    assert not isinstance(undone, AnnulmentRefused)
    assert check(merged, undone).passed
    restored = published(merged, *undone)
    reference = Reference(level="commune", code="00002", recorded_on=date(2023, 1, 1))
    assert merged.territory.resolve(reference, AFTER).state is State.SUCCEEDED
    assert restored.territory.resolve(reference, AFTER) == before.territory.resolve(reference, AFTER)
    assert restored.state_digest == before.state_digest


def test_annulling_a_correction_restores_the_content_that_stood_at_the_next_revision() -> None:
    first = unit(A, name="Xã A")
    corrected = published(register_of(first), revised(first, name="Xã B"))
    (restored,) = _undone(corrected)
    assert (restored.revision, restored.data["name"]) == (3, "Xã A")


def test_annulling_an_annulment_brings_the_batch_back() -> None:
    register = register_of(unit(A))
    register = published(register, *_undone(register))
    assert register.territory.count(AFTER) == {}
    register = published(register, *_undone(register))
    assert register.territory.count(AFTER) == {"commune": 1}


def test_a_batch_that_a_later_one_revised_cannot_be_annulled() -> None:
    first = unit(A)
    register = register_of(first)
    later = published(register, revised(first, name="Xã mới"))
    assert annul_batch(later, register.last_batch or "", "mistake") == AnnulmentRefused(
        batch_id=register.last_batch or "", reason=AnnulmentFault.REVISED_LATER, facts=(first.key,)
    )


def test_a_batch_that_was_never_accepted_or_changed_nothing_cannot_be_annulled() -> None:
    register = published(register_of(unit(A), unit(B)), unit(A))
    never = annul_batch(register, "0" * 64, "mistake")
    nothing = annul_batch(register, register.last_batch or "", "mistake")
    assert isinstance(never, AnnulmentRefused)
    assert isinstance(nothing, AnnulmentRefused)
    assert (never.reason, nothing.reason) == (AnnulmentFault.NOT_ACCEPTED, AnnulmentFault.NOTHING_STANDS)


def _undone(register: Register) -> tuple[Fact, ...]:
    undone = annul_batch(register, register.last_batch or "", "mistake")
    assert not isinstance(undone, AnnulmentRefused)
    return undone
