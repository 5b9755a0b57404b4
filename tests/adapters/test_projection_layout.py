"""Where a card stands does not depend on who computes it, and numbers spread evenly."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lienthong.adapters import projection_layout as layout
from lienthong.adapters.event_log import partition_of
from tests.support.card_facts import citizen_ids, insurance_numbers

any_number = st.integers(0, 10**10 - 1).map(lambda number: f"{number:010d}")


@given(any_number, st.integers(1, 512))
def test_a_card_stands_in_the_cell_that_is_its_partition(number: str, cells: int) -> None:
    assert layout.cell_of(number, cells) == partition_of(number, cells)


@given(insurance_numbers)
def test_the_key_of_a_number_gives_the_number_back(number: str) -> None:
    assert layout.insurance_number(layout.key_of(number)) == number


@given(citizen_ids, st.integers(1, 2**15))
def test_an_index_entry_stands_where_it_is_looked_for(citizen_id: str, buckets: int) -> None:
    key, number = layout.key_of(citizen_id), layout.key_of("0000000001")
    cell, entry = layout.index_entry(citizen_id, number, buckets)
    assert cell == layout.index_cell_of(key)
    assert entry == layout.citizen_blob([key], buckets) + number


def test_neighbouring_and_sparse_numbers_fill_the_buckets_of_a_cell_alike() -> None:
    dense = [f"{serial:010d}" for serial in range(2**18)]
    sparse = [f"{serial * 7919:010d}" for serial in range(2**18)]
    for numbers in (dense, sparse):
        one_cell = [number for number in numbers if layout.cell_of(number, 4) == 0]
        filled = Counter(layout.bucket_of(layout.key_of(number), 1024) for number in one_cell)
        assert len(filled) == 1024
        assert max(filled.values()) <= 128


def test_citizen_ids_of_one_province_fill_the_index_evenly() -> None:
    keys = [layout.key_of(f"000{serial:09d}") for serial in range(2**18)]
    cells = Counter(layout.index_cell_of(key) for key in keys)
    assert len(cells) == layout.INDEX_CELLS
    assert max(cells.values()) < 2 * min(cells.values())
    buckets = Counter((layout.index_cell_of(key), layout.index_bucket_of(key, 256)) for key in keys)
    assert max(buckets.values()) <= 128
