"""A command goes to the server of its key, which is found in the command itself."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from lienthong.runtime.cluster_slots import SLOTS, parse_slots, slot_of
from lienthong.runtime.store_address import Address

ASKED = Address("10.0.0.1", 7000)
KEYS = st.text(min_size=1, max_size=20)


@given(KEYS)
def test_the_key_of_a_command_is_found_wherever_it_stands(key: str) -> None:
    slot = key_slot(key.encode())
    for command in [
        ("HGET", key, "field"),
        ("FCALL", "lienthong_1_write", 1, key, "5"),
        ("FCALL_RO", b"lienthong_1_read", "2", key, "other"),
        ("XREAD", b"COUNT", 1, b"BLOCK", 1_000, b"STREAMS", key, "0-0"),
        ("XREAD", "STREAMS", key, "0-0"),
        ("OBJECT", "ENCODING", key),
        ("XTRIM", key.encode(), "MINID", "0-1"),
    ]:
        assert slot_of(command) == slot


@given(st.integers(1, 9), st.integers(0, 200), st.integers(0, 2_000))
def test_all_keys_of_a_cell_lie_in_one_slot(generation: int, cell: int, bucket: int) -> None:
    names = [f"{{{generation}.{cell}}}{rest}" for rest in ("state", f"b{bucket}", "none")]
    assert len({slot_of(("HGET", name)) for name in names}) == 1


@pytest.mark.parametrize(
    "command", [("FCALL", "f", 0, "argument"), ("TIME",), ("CLIENT LIST", "x"), ("SCRIPT LOAD", "")]
)
def test_a_command_without_a_key_is_sent_nowhere(command: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="no server of the cluster can be chosen"):
        slot_of(command)


def test_a_map_says_who_serves_each_slot_and_who_else_is_there() -> None:
    said = [
        [0, 99, [b"10.0.0.2", 7001, b"a"], [b"10.0.0.3", 7002, b"b"]],
        [200, SLOTS - 1, [b"", 7003, b"c"]],
        [100, 150, [None, 7004, b"d"]],
        [151, 160, [b"?", 7005, b"e"]],
    ]
    known = parse_slots(said, ASKED)
    first, own = Address("10.0.0.2", 7001), [Address("10.0.0.1", port) for port in (7003, 7004, 7005)]
    assert (known.owners[0], known.owners[99], known.owners[199]) == (first, first, None)
    assert (known.owners[200], known.owners[SLOTS - 1], known.owners[100], known.owners[160]) == (own[0], *own)[:4]
    assert known.primaries == (first, *own)
    assert known.servers == {first, *own, Address("10.0.0.3", 7002)}
