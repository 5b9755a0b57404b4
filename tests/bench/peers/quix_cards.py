"""Keeps the highest revision of each card of a topic in a state of Quix Streams.

`python quix_cards.py SERVERS TOPIC EVENTS WARM_UP_EVENTS STATE_DIR COMMIT_S`, with a Python of its own that has
`requirements.txt` installed, says `ready`; a line of standard input names the consumer group that then reads the topic
from its beginning. It says `warm` and `read` when it has handled so many events, and ends after the next line.
"""

import sys
import threading

import orjson
from quixstreams import Application, State  # type: ignore[import-not-found]  # it has an environment of its own

CARD = "card"
REVISION_BYTES = 4


class Highest:
    """Puts an event into the state, its revision before it, unless what is there is as high."""

    def __init__(self, warm_up: int, events: int) -> None:
        self._handled = 0
        self._warm_up = warm_up
        self._events = events

    def __call__(self, value: bytes, state: State) -> None:
        revision = orjson.loads(value)["data"]["revision"].to_bytes(REVISION_BYTES, "big")
        held = state.get_bytes(CARD)
        if held is None or held[:REVISION_BYTES] < revision:
            state.set_bytes(CARD, revision + value)
        self._handled += 1
        if self._handled == self._warm_up:
            say("warm")
        elif self._handled == self._events:
            say("read")


def say(line: str) -> None:
    """Tell whoever measures."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Read the topic once."""
    servers, topic, events, warm_up, state_directory, commit_s = sys.argv[1:]
    say("ready")
    application = Application(
        broker_address=servers,
        consumer_group=sys.stdin.readline().strip(),
        auto_offset_reset="earliest",
        state_dir=state_directory,
        commit_interval=float(commit_s),
        processing_guarantee="at-least-once",
        producer_extra_config={"acks": "all"},
        use_changelog_topics=True,
        loglevel="WARNING",
    )
    stream = application.dataframe(application.topic(topic, key_deserializer="str", value_deserializer="bytes"))
    stream.update(Highest(int(warm_up), int(events)), stateful=True)
    # Exactly so many are read, and then a last checkpoint is made whatever the interval is.
    threading.Thread(target=sys.stdin.readline, daemon=True).start()
    application.run(count=int(events), collect=False)
    say("closed")


if __name__ == "__main__":
    main()
