"""The register's snapshots, the seals that build them, guidance and tables."""

from datetime import date

import pytest

from lienthong.domain.facts import Fact
from lienthong.domain.register import BatchOutOfPlaceError, Register
from lienthong.domain.seals import Refusal, RefusedSeal, Seal, SealedBatch, SealLog, batch_id_of
from lienthong.domain.succession import Reference
from tests.support.facts import (
    annulled,
    batch,
    commune,
    contract,
    guidance,
    published,
    register_of,
    revised,
    table,
    unit,
)

ON = date(2025, 8, 1)


def seal(facts: tuple[Fact, ...], base: str | None, position: int = 1) -> Seal:
    batch_id = batch_id_of(facts)
    return Seal(batch_id=batch_id, base=base, count=len(facts), digest=batch_id, name=None, position=position)


def test_an_empty_register_stands_at_position_zero_on_no_batch() -> None:
    register = Register.empty()
    assert (register.position, register.last_batch, register.state_digest, register.facts_digest) == (0, None, 0, 0)


def test_a_batch_leaves_the_snapshot_before_it_as_it_was() -> None:
    before = register_of(unit(commune("00001")))
    after = published(before, unit(commune("00002")))
    assert before.territory.count(ON) == {"commune": 1}
    assert after.territory.count(ON) == {"commune": 2}
    assert after.position == before.position + 1


def test_a_batch_on_another_base_is_a_gap_and_never_folded() -> None:
    register = register_of(unit(commune("00001")))
    stray = batch(Register.empty(), unit(commune("00002")))
    with pytest.raises(BatchOutOfPlaceError) as caught:
        register.with_batch(stray)
    assert caught.value.last_batch == register.last_batch


def test_a_batch_folded_twice_is_refused() -> None:
    register = register_of(unit(commune("00001")))
    with pytest.raises(BatchOutOfPlaceError):
        register.with_batch(register.batches[0])


def test_a_register_folds_its_batches_again_to_the_same_snapshot() -> None:
    register = published(register_of(unit(commune("00001"))), unit(commune("00002")))
    again = Register.of(register.batches)
    assert (again.state_digest, again.position) == (register.state_digest, register.position)


def test_a_corrected_name_shows_from_the_batch_that_corrects_it() -> None:
    first = unit(commune("00001"), name="Xã sai")
    register = published(register_of(first), revised(first, name="Xã đúng"))
    assert register.territory.resolve(Reference(level="commune", code="00001"), ON).printed[0].name == "Xã đúng"


def test_a_register_tells_whether_anything_in_it_is_invented() -> None:
    invented = unit(commune("00001"), illustrative=True)
    register = register_of(invented)
    assert register.illustrative
    assert not published(register, annulled(invented)).illustrative


def test_guidance_is_found_by_subject_and_day_the_latest_first() -> None:
    register = register_of(
        guidance("2009/BYT-KH-TC", "borrowed_machines", "2018-04-12", ("2022-05-08", "2348/BYT-KH-TC")),
        guidance("144/NQ-CP", "borrowed_machines", "2022-11-05"),
        guidance("154/BHXH-CSYT", "volumes", "2025-04-01"),
    )
    numbers = {
        on: [each.number for each in register.guidance.in_force("borrowed_machines", on)]
        for on in (date(2018, 4, 11), date(2022, 5, 8), date(2022, 5, 9), date(2022, 11, 5))
    }
    assert list(numbers.values()) == [[], ["2009/BYT-KH-TC"], [], ["144/NQ-CP"]]


def test_an_annulled_document_is_in_force_no_more() -> None:
    document = guidance("1334/BHXH-CSYT", "cards_stay_valid", "2025-06-01")
    register = published(register_of(document), annulled(document))
    assert register.guidance.in_force("cards_stay_valid", ON) == ()
    assert register.guidance.document("1334/BHXH-CSYT") is None


def test_a_table_s_rows_are_those_of_its_version_of_the_day() -> None:
    register = register_of(
        table("base_salary", "2024-07-01", [{"dong": 2340000}]), table("base_salary", "2026-07-01", [{"dong": 2530000}])
    )
    assert register.tables.rows("base_salary", date(2024, 6, 30)) == ()
    assert register.tables.rows("base_salary", date(2026, 6, 30)) == ({"dong": 2340000},)
    assert register.tables.rows("base_salary", date(2026, 7, 1)) == ({"dong": 2530000},)
    assert register.tables.rows("unknown", ON) == ()


def test_contracts_are_found_by_the_code_they_name_now() -> None:
    first = contract("1", "01C51", "2024-01-01")
    register = published(register_of(first), revised(first, facility_code="01C52"))
    assert register.contracts.of("01C51") == ()
    assert [each.number for each in register.contracts.of("01C52")] == ["1"]


def test_of_two_seals_on_one_base_the_first_in_the_log_stands() -> None:
    log = SealLog()
    one, other = (unit(commune("00001")),), (unit(commune("00002")),)
    for facts in (one, other):
        log.add(batch_id_of(facts), facts[0])
    first = log.seal(seal(one, None))
    second = log.seal(seal(other, None, position=2))
    assert isinstance(first, SealedBatch)
    assert isinstance(second, RefusedSeal)
    assert (second.reason, second.last_batch) == (Refusal.OTHER_BASE, first.batch_id)


def test_a_refused_batch_is_accepted_when_sealed_again_on_the_right_base() -> None:
    log = SealLog()
    one, other = (unit(commune("00001")),), (unit(commune("00002")),)
    for facts in (one, other, other):
        log.add(batch_id_of(facts), facts[0])
    log.seal(seal(one, None))
    log.seal(seal(other, None))
    accepted = log.seal(seal(other, batch_id_of(one), position=7))
    assert isinstance(accepted, SealedBatch)
    assert (accepted.facts, accepted.position) == (other, 7)


def test_the_same_batch_is_accepted_once() -> None:
    log = SealLog()
    facts = (unit(commune("00001")),)
    for _ in range(2):
        log.add(batch_id_of(facts), facts[0])
    assert isinstance(log.seal(seal(facts, None)), SealedBatch)
    log.add(batch_id_of(facts), facts[0])
    again = log.seal(seal(facts, batch_id_of(facts)))
    assert isinstance(again, RefusedSeal)
    assert again.reason is Refusal.ALREADY_ACCEPTED


def test_a_seal_whose_facts_are_not_all_there_does_not_stand() -> None:
    log = SealLog()
    facts = (unit(commune("00001")), unit(commune("00002")))
    log.add(batch_id_of(facts), facts[0])
    refused = log.seal(seal(facts, None))
    assert isinstance(refused, RefusedSeal)
    assert refused.reason is Refusal.OTHER_FACTS
    log.add(batch_id_of(facts), facts[1])
    assert isinstance(log.seal(seal(facts, None)), SealedBatch)


def test_a_seal_without_facts_does_not_stand() -> None:
    assert isinstance(SealLog().seal(seal((), None)), RefusedSeal)
