"""A small map with a merger, a division and a station: the shapes that answers about places are tested on."""

from tests.support.desk import card, period
from tests.support.facts import commune, facility, guidance, reorganised, unit

HN, BN = ("province", "01"), ("province", "24")
TRUC_BACH, DAI_MO = commune("00004"), commune("00634")
BEFORE = (
    unit(HN, name="Thành phố Hà Nội"),
    unit(("district", "001"), name="Quận Ba Đình", parent=HN),
    unit(TRUC_BACH, name="Phường Trúc Bạch", parent=("district", "001")),
    unit(DAI_MO, name="Phường Đại Mỗ", parent=("district", "001")),
)
MERGED = (
    unit(TRUC_BACH, "2025-07-01", name="Phường Ba Đình", parent=HN),
    reorganised("2025-07-01", [(TRUC_BACH, TRUC_BACH, "whole")], [TRUC_BACH], document="1656/NQ-UBTVQH15"),
)
DIVIDED = (
    unit(DAI_MO, "2025-07-01", name="Phường Đại Mỗ", parent=HN),
    unit(commune("00622"), "2025-07-01", name="Phường Xuân Phương", parent=HN),
    reorganised(
        "2025-07-01",
        [(DAI_MO, DAI_MO, "part"), (DAI_MO, commune("00622"), "part")],
        [DAI_MO],
        document="1656/NQ-UBTVQH15",
    ),
)
STATION = facility("01C51", name="Trạm y tế Phường Trúc Bạch", commune=("commune", "00004", "2020-01-01"))
CARDS_STAY = guidance("1334/BHXH-CSYT", "card_validity", "2025-06-30")

IN_TRUC_BACH = card(address=("commune", "00004", "2023-03-01"))
AT_STATION = card(period(place=("01C51", "2023-03-01")))
