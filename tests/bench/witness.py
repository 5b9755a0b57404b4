"""Waits for the first answer that has the decree: `python -m tests.bench.witness PORT`, which prints when that was.

A process of its own, so that what publishes the decree does not hold it up. It asks as a desk does, about one card.
"""

import http.client
import json
import sys
import time

from lienthong.adapters.demo_cards import TRUC_BACH

QUESTION = {
    "presented": {"kind": "insurance_number", "number": TRUC_BACH},
    "facility_code": "01004",
    "clerk_id": "NV01",
    "on": "2025-08-01",
}
BEFORE, AFTER = "Phường Trúc Bạch", "Phường Ba Đình"
POLL_INTERVAL_S = 0.005
PATIENCE_S = 60.0


def names_today(connection: http.client.HTTPConnection) -> list[str]:
    """Ask, and return the names of the places that the card's address is today."""
    body = json.dumps(QUESTION)
    connection.request("POST", "/v1/eligibility", body, {"Content-Type": "application/json"})
    address = json.loads(connection.getresponse().read())["address"]
    return [] if address is None else [place["name"] for place in address["today"]]


def main() -> None:
    """Say `ready` when the answers are those of before, and the time of the first one that is not."""
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
    end = time.monotonic() + PATIENCE_S
    before = names_today(connection)
    assert before == [BEFORE], before
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    while names_today(connection) != [AFTER]:
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(POLL_INTERVAL_S)
    sys.stdout.write(f"{time.time()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
