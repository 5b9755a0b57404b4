"""Each shape of a reorganisation by name, on one engine."""

from datetime import date

from lienthong.domain.facts import Fact
from lienthong.domain.succession import PlaceKey, Reference, Resolution, State
from tests.support.facts import Unit, commune, register_of, reorganised, revised, unit

BEFORE = date(2025, 6, 30)
DAY = "2025-07-01"
AFTER = date(2025, 8, 1)
PRINTED = date(2023, 5, 1)

A, B, C, D = (commune(code) for code in ("00001", "00002", "00003", "00004"))


def resolve(
    facts: list[Fact],
    place: Unit = A,
    *,
    on: date = AFTER,
    recorded_on: date | None = PRINTED,
    name: str | None = None,
) -> Resolution:
    reference = Reference(level=place[0], code=place[1], recorded_on=recorded_on, name=name)
    return register_of(*facts).territory.resolve(reference, on)


def candidates(resolution: Resolution) -> list[tuple[str, str]]:
    return [(place.code, place.name) for place in resolution.candidates]


def test_a_place_that_no_link_touches_is_current() -> None:
    resolution = resolve([unit(A)])
    assert resolution.state is State.CURRENT
    assert resolution.printed == resolution.candidates
    assert resolution.path == ()


def test_a_merger_under_a_new_name_of_a_used_code_succeeds_all_that_went_into_it() -> None:
    facts = [
        unit(A, name="Phường Trúc Bạch"),
        unit(B, name="Phường Quán Thánh"),
        unit(A, DAY, name="Phường Ba Đình"),
        reorganised(DAY, [(A, A, "whole"), (B, A, "whole")], [A, B], document="1656/NQ-UBTVQH15"),
    ]
    for place, printed in ((A, "Phường Trúc Bạch"), (B, "Phường Quán Thánh")):
        resolution = resolve(facts, place)
        assert resolution.state is State.SUCCEEDED
        assert [each.name for each in resolution.printed] == [printed]
        assert resolution.printed[0].valid_to == BEFORE
        assert candidates(resolution) == [("00001", "Phường Ba Đình")]
        assert [(step.document, step.effective_on) for step in resolution.path] == [
            ("1656/NQ-UBTVQH15", date(2025, 7, 1))
        ]


def test_the_day_before_a_merger_knows_nothing_of_it() -> None:
    facts = [unit(A), unit(A, DAY), reorganised(DAY, [(A, A, "whole")], [A])]
    resolution = resolve(facts, on=BEFORE)
    assert resolution.state is State.CURRENT
    assert resolution.printed[0].valid_to is None


def test_a_merger_is_in_force_on_its_very_day() -> None:
    facts = [unit(A), unit(A, DAY, name="Xã mới"), reorganised(DAY, [(A, A, "whole")], [A])]
    assert candidates(resolve(facts, on=date(2025, 7, 1))) == [("00001", "Xã mới")]


def test_a_division_gives_the_set_and_the_hint_is_no_answer() -> None:
    facts = [unit(A), unit(B, DAY), unit(C, DAY), reorganised(DAY, [(A, B, "part"), (A, C, "part")], [A])]
    links = [{**link, "hint": number == 0} for number, link in enumerate(facts[-1].data["links"])]
    resolution = resolve([*facts[:-1], revised(facts[-1], links=links)])
    assert resolution.state is State.DIVIDED
    assert [code for code, _ in candidates(resolution)] == ["00002", "00003"]


def test_a_transfer_of_a_part_keeps_the_predecessor_beside_its_successor() -> None:
    resolution = resolve([unit(A), unit(B), reorganised(DAY, [(A, B, "part")])])
    assert resolution.state is State.DIVIDED
    assert [code for code, _ in candidates(resolution)] == ["00001", "00002"]
    assert resolution.printed[0].valid_to is None


def test_a_card_recorded_after_a_transfer_does_not_follow_it() -> None:
    facts = [unit(A), unit(B), reorganised(DAY, [(A, B, "part")])]
    assert resolve(facts, recorded_on=date(2025, 7, 1)).state is State.CURRENT


def test_a_rename_is_a_new_version_of_the_same_code() -> None:
    facts = [unit(A, name="Xã A"), unit(A, DAY, name="Phường A"), reorganised(DAY, [(A, A, "whole")], [A])]
    resolution = resolve(facts)
    assert resolution.state is State.SUCCEEDED
    assert candidates(resolution) == [("00001", "Phường A")]


def test_a_new_code_succeeds_the_old_one() -> None:
    facts = [unit(A), unit(B, DAY), reorganised(DAY, [(A, B, "whole")], [A])]
    assert [code for code, _ in candidates(resolve(facts))] == ["00002"]


def test_a_place_absorbed_by_one_that_goes_on_needs_no_new_version_of_it() -> None:
    facts = [unit(A), unit(B), reorganised(DAY, [(A, B, "whole")], [A])]
    assert resolve(facts, A).state is State.SUCCEEDED
    assert resolve(facts, B).state is State.CURRENT


def test_an_abolition_without_a_successor_ends_a_place() -> None:
    district = ("district", "001")
    resolution = resolve([unit(district), reorganised(DAY, [], [district], document=None)], district)
    assert resolution.state is State.ENDED
    assert resolution.candidates == ()
    assert [step.document for step in resolution.path] == [None]


def test_a_code_that_was_ended_and_established_again_is_another_place() -> None:
    facts = [
        unit(A, name="Xã cũ"),
        reorganised("2010-01-01", [], [A]),
        unit(A, DAY, name="Xã lập lại"),
    ]
    assert resolve(facts, recorded_on=date(2009, 1, 1)).state is State.ENDED
    assert candidates(resolve(facts, recorded_on=date(2025, 7, 2))) == [("00001", "Xã lập lại")]


def test_a_level_may_change_on_the_way() -> None:
    island, zone = ("district", "471"), commune("20333")
    resolution = resolve([unit(island), unit(zone, DAY), reorganised(DAY, [(island, zone, "whole")], [island])], island)
    assert resolution.state is State.SUCCEEDED
    assert resolution.candidates[0].level == "commune"


def test_several_reorganisations_of_one_day_apply_together() -> None:
    facts = [
        unit(A),
        unit(B),
        unit(C, DAY),
        unit(D, DAY),
        reorganised(DAY, [(A, C, "part")], [A], id="one"),
        reorganised(DAY, [(A, D, "part"), (B, D, "whole")], [A, B], id="other"),
    ]
    resolution = resolve(facts)
    assert resolution.state is State.DIVIDED
    assert [step.id for step in resolution.path] == ["one", "other"]
    assert [code for code, _ in candidates(resolution)] == ["00003", "00004"]


def test_two_codes_may_change_places_on_one_day() -> None:
    facts = [
        unit(A, name="Xã A"),
        unit(B, name="Xã B"),
        unit(A, DAY, name="Xã B"),
        unit(B, DAY, name="Xã A"),
        reorganised(DAY, [(A, B, "whole"), (B, A, "whole")], [A, B]),
    ]
    assert candidates(resolve(facts, A)) == [("00002", "Xã A")]
    assert candidates(resolve(facts, B)) == [("00001", "Xã B")]


def test_branches_that_meet_again_count_as_one() -> None:
    facts = [
        unit(A),
        unit(B, "2010-01-01"),
        unit(C, "2010-01-01"),
        reorganised("2010-01-01", [(A, B, "part"), (A, C, "part")], [A]),
        unit(D, DAY),
        reorganised(DAY, [(B, D, "whole"), (C, D, "whole")], [B, C]),
    ]
    resolution = resolve(facts, recorded_on=date(2009, 1, 1))
    assert resolution.state is State.SUCCEEDED
    assert [code for code, _ in candidates(resolution)] == ["00004"]
    assert len(resolution.path) == 2


def test_a_long_chain_of_divisions_that_meet_again_is_followed_without_doubling() -> None:
    facts = [unit(A, "1900-01-01")]
    for year in range(1901, 1981, 2):
        split, joined = f"{year}-01-01", f"{year + 1}-01-01"
        facts += [unit(B, split), unit(C, split), reorganised(split, [(A, B, "part"), (A, C, "part")], [A])]
        facts += [unit(A, joined), reorganised(joined, [(B, A, "whole"), (C, A, "whole")], [B, C])]
    resolution = resolve(facts, recorded_on=date(1900, 6, 1))
    assert resolution.state is State.SUCCEEDED
    assert len(resolution.path) == 80


def test_a_branch_that_ended_keeps_the_other_from_passing_for_the_whole() -> None:
    facts = [
        unit(A),
        unit(B, "2010-01-01"),
        unit(C, "2010-01-01"),
        reorganised("2010-01-01", [(A, B, "part"), (A, C, "part")], [A]),
        reorganised(DAY, [], [C]),
    ]
    resolution = resolve(facts, recorded_on=date(2009, 1, 1))
    assert resolution.state is State.DIVIDED
    assert [code for code, _ in candidates(resolution)] == ["00002"]


def test_a_part_whose_rest_is_not_on_record_is_no_single_successor() -> None:
    resolution = resolve([unit(A), unit(B, DAY), reorganised(DAY, [(A, B, "part")], [A])])
    assert resolution.state is State.DIVIDED
    assert [code for code, _ in candidates(resolution)] == ["00002"]


def test_trap_3_a_code_of_several_versions_without_a_day_is_ambiguous() -> None:
    facts = [
        unit(A, name="Phường Trúc Bạch"),
        unit(A, DAY, name="Phường Ba Đình"),
        reorganised(DAY, [(A, A, "whole")], [A]),
    ]
    resolution = resolve(facts, recorded_on=None)
    assert resolution.state is State.AMBIGUOUS
    assert [place.name for place in resolution.printed] == ["Phường Trúc Bạch", "Phường Ba Đình"]
    assert candidates(resolution) == [("00001", "Phường Ba Đình")]


def test_before_the_second_version_a_code_without_a_day_is_not_ambiguous() -> None:
    facts = [unit(A), unit(A, DAY), reorganised(DAY, [(A, A, "whole")], [A])]
    assert resolve(facts, recorded_on=None, on=BEFORE).state is State.CURRENT


def test_a_printed_name_tells_which_version_of_a_code_is_meant() -> None:
    facts = [
        unit(A, name="Phường Hoà Bình"),
        unit(A, DAY, name="Phường Ba Đình"),
        reorganised(DAY, [(A, A, "whole")], [A]),
    ]
    resolution = resolve(facts, recorded_on=None, name="PHƯỜNG HÒA BÌNH")
    assert resolution.state is State.SUCCEEDED
    assert [place.name for place in resolution.printed] == ["Phường Hoà Bình"]


def test_a_printed_name_that_contradicts_the_day_keeps_both_versions() -> None:
    facts = [
        unit(A, name="Phường Trúc Bạch"),
        unit(A, DAY, name="Phường Ba Đình"),
        reorganised(DAY, [(A, A, "whole")], [A]),
    ]
    resolution = resolve(facts, recorded_on=date(2025, 7, 5), name="phường trúc bạch")
    assert resolution.state is State.AMBIGUOUS
    assert [place.name for place in resolution.printed] == ["Phường Ba Đình", "Phường Trúc Bạch"]


def test_a_code_recorded_after_it_had_ended_means_its_last_version() -> None:
    facts = [unit(A), unit(B, DAY), reorganised(DAY, [(A, B, "whole")], [A])]
    resolution = resolve(facts, recorded_on=date(2025, 7, 20))
    assert resolution.ended_before_recorded
    assert resolution.state is State.SUCCEEDED
    assert [code for code, _ in candidates(resolution)] == ["00002"]


def test_a_code_recorded_before_its_first_version_is_unknown() -> None:
    assert resolve([unit(A, DAY)]).state is State.UNKNOWN


def test_a_code_that_nobody_declared_is_unknown() -> None:
    assert resolve([unit(A)], commune("99999")).state is State.UNKNOWN


def test_a_card_recorded_after_the_day_asked_about_shows_what_it_was_recorded_as() -> None:
    facts = [unit(A, name="Xã A"), unit(A, DAY, name="Phường A"), reorganised(DAY, [(A, A, "whole")], [A])]
    resolution = resolve(facts, on=BEFORE, recorded_on=AFTER)
    assert resolution.state is State.CURRENT
    assert candidates(resolution) == [("00001", "Phường A")]


def test_a_code_closed_only_by_its_next_version_ended_without_a_successor() -> None:
    assert resolve([unit(A), unit(A, DAY)]).state is State.ENDED


def test_a_successor_that_is_not_declared_makes_it_disputed() -> None:
    resolution = resolve([unit(A), unit(B, DAY), reorganised(DAY, [(A, B, "part"), (A, C, "part")], [A])])
    assert resolution.state is State.DISPUTED
    assert [code for code, _ in candidates(resolution)] == ["00002"]


def test_the_whole_of_a_place_with_two_successors_is_disputed() -> None:
    facts = [
        unit(A),
        unit(B, DAY),
        unit(C, DAY),
        reorganised(DAY, [(A, B, "whole")], [A], id="one"),
        reorganised(DAY, [(A, C, "whole")], [A], id="other"),
    ]
    resolution = resolve(facts)
    assert resolution.state is State.DISPUTED
    assert [code for code, _ in candidates(resolution)] == ["00002", "00003"]


def test_the_whole_of_a_place_that_also_stays_is_disputed() -> None:
    assert resolve([unit(A), unit(B), reorganised(DAY, [(A, B, "whole")])]).state is State.DISPUTED


def test_a_reorganisation_that_came_late_is_walked_by_its_day() -> None:
    early = [unit(A), unit(B, "2010-01-01"), reorganised("2010-01-01", [(A, B, "whole")], [A])]
    late = [unit(C, DAY), reorganised(DAY, [(B, C, "whole")], [B])]
    printed = date(2009, 1, 1)
    assert resolve(late + early, recorded_on=printed) == resolve(early + late, recorded_on=printed)


def test_the_parent_and_province_of_a_printed_place_are_those_of_its_time() -> None:
    old, new = ("province", "24"), ("province", "27")
    district = ("district", "213")
    facts = [
        unit(old),
        unit(new),
        unit(district, parent=old),
        unit(A, parent=district),
        unit(old, DAY, name="Tỉnh Bắc Ninh"),
        unit(A, DAY, parent=old),
        reorganised(DAY, [(old, old, "whole"), (new, old, "whole")], [old, new], id="provinces"),
        reorganised(DAY, [], [district], id="districts"),
        reorganised(DAY, [(A, A, "whole")], [A], id="communes"),
    ]
    resolution = resolve(facts)
    assert (resolution.printed[0].parent_code, resolution.printed[0].province_code) == ("213", "24")
    assert (resolution.candidates[0].parent_code, resolution.candidates[0].province_code) == ("24", "24")


def test_a_place_whose_province_alone_was_merged_stands_in_the_new_one_today() -> None:
    old, new = ("province", "02"), ("province", "08")
    facts = [unit(old), unit(new), unit(A, parent=old), reorganised(DAY, [(old, new, "whole")], [old])]
    resolution = resolve(facts)
    assert resolution.state is State.CURRENT
    assert [place.province_code for place in resolution.printed] == ["02"]
    assert [place.province_code for place in resolution.candidates] == ["08"]
    assert [place.parent_code for place in resolution.candidates] == ["08"]


def test_levels_and_codes_of_another_country_are_data() -> None:
    canton, town = ("Canton", "CH-ZH"), ("Gemeinde", "261.a_b")
    facts = [
        unit(canton),
        unit(town, parent=canton),
        unit(town, DAY, parent=canton, name="Zürich"),
        reorganised(DAY, [(town, town, "whole")], [town]),
    ]
    resolution = resolve(facts, town)
    assert resolution.state is State.SUCCEEDED
    assert resolution.candidates[0].province_code == "CH-ZH"


def test_a_circle_of_parents_ends_in_no_province() -> None:
    resolution = resolve([unit(A, parent=B), unit(B, parent=A)])
    assert resolution.state is State.CURRENT
    assert resolution.printed[0].province_code is None


def test_an_invented_step_marks_the_answer() -> None:
    facts = [unit(A), unit(B, DAY), reorganised(DAY, [(A, B, "whole")], [A], illustrative=True)]
    assert resolve(facts).illustrative
    assert not resolve(facts, on=BEFORE).illustrative


def test_predecessors_reach_back_through_every_link() -> None:
    facts = [
        unit(A),
        unit(B),
        unit(C, "2010-01-01"),
        reorganised("2010-01-01", [(A, C, "whole"), (B, C, "whole")], [A, B]),
        unit(D, DAY),
        reorganised(DAY, [(C, D, "whole")], [C]),
    ]
    territory = register_of(*facts).territory
    assert [place.code for place in territory.predecessors(PlaceKey(*D), AFTER)] == ["00001", "00002", "00003"]
    assert territory.predecessors(PlaceKey(*A), date(2009, 1, 1)) == ()


def test_a_place_stands_alone_until_another_goes_into_it_or_it_into_another() -> None:
    facts = [
        unit(A),
        unit(B),
        unit(C),
        unit(C, DAY),
        reorganised(DAY, [(A, B, "whole")], [A], id="one"),
        reorganised(DAY, [(C, C, "whole")], [C], id="other"),
    ]
    territory = register_of(*facts).territory
    alone = {
        place: territory.stands_alone(Reference(level=place[0], code=place[1], recorded_on=PRINTED), AFTER)
        for place in (A, B, C)
    }
    assert alone == {A: False, B: False, C: True}


def test_the_first_and_last_days_of_the_calendar_are_days_like_others() -> None:
    facts = [
        unit(A),
        unit(A, "0001-01-01"),
        reorganised("0001-01-01", [(A, B, "whole")], [A], id="first"),
        reorganised("9999-12-31", [(A, B, "whole")], [A], id="last"),
    ]
    for on in (date.min, date.max):
        assert resolve(facts, on=on, recorded_on=on).printed
