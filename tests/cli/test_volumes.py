from urllib.parse import parse_qs, urlsplit

from tests.support.canned_service import canned_service
from tests.support.command_line import call

NOTE = {"note_vi": "Số lượt tra cứu thẻ; không phải chi phí.", "note_en": "Counts of card look-ups; not costs."}


def test_totals_show_what_they_are_made_of_and_what_was_divided() -> None:
    merged = {
        "code": "00004",
        "name": "Phường Ba Đình",
        "lookups": 7,
        "includes": [{"code": "00004", "lookups": 4}, {"code": "00016", "lookups": 3}],
        "divided_among": ["00004"],
    }
    split = {
        "code": "00634",
        "name": "Phường Đại Mỗ",
        "lookups": 2,
        "includes": [{"code": "00634", "lookups": 2}],
        "divided_among": ["00622", "00637"],
    }
    with canned_service() as service:
        service.answers(
            {"by": "commune", "from": None, "to": "2025-08-31", "lookups": 9, "rows": [merged], "divided": [split]}
            | NOTE
        )
        out = call("volumes", "--by", "commune", "--to", "2025-08-31", "--url", service.url).out
        assert "= 00004 (4) + 00016 (3)" in out
        assert "→ 00622, 00637" in out
        assert "không phải chi phí" in out
        asked = urlsplit(service.asked.removeprefix("GET "))
        assert (asked.path, parse_qs(asked.query)) == ("/v1/volumes", {"by": ["commune"], "to": ["2025-08-31"]})


def test_totals_by_day_are_passed_on_as_json() -> None:
    document = {
        "by": "day",
        "from": None,
        "to": None,
        "lookups": 3,
        "rows": [{"day": "2025-08-01", "lookups": 3}],
        "divided": [],
    }
    with canned_service() as service:
        service.answers(document | NOTE)
        assert call("volumes", "--url", service.url, "--json").json["rows"] == document["rows"]
        assert "2025-08-01" in call("volumes", "--url", service.url).out


def test_a_refused_filter_is_told_in_the_monitors_words() -> None:
    with canned_service() as service:
        service.answers({"detail": [{"loc": ["query", "by"], "msg": "Input should be 'day'"}]}, 422)
        called = call("volumes", "--by", "moon", "--url", service.url)
        assert called.status == 2
        assert "query/by Input should be 'day'" in called.err
