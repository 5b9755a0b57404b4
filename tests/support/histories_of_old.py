"""A history as the first release left it, before there were migrations: its own tables, and some counts in them."""

FIRST_RELEASE = """
PRAGMA journal_mode = WAL;
CREATE TABLE positions (
    stream VARCHAR NOT NULL,
    partition INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (stream, partition)
);
CREATE TABLE outbox_marks (
    partition INTEGER NOT NULL,
    cell VARCHAR NOT NULL,
    epoch VARCHAR NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (partition, cell, epoch)
);
CREATE TABLE lookups_by_minute (
    minute VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    lookups INTEGER NOT NULL,
    PRIMARY KEY (minute, channel, outcome)
);
CREATE TABLE lookups_by_facility (
    day VARCHAR NOT NULL,
    code VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    lookups INTEGER NOT NULL,
    PRIMARY KEY (day, code, channel, outcome)
);
CREATE TABLE lookups_by_unit (
    day VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    code VARCHAR NOT NULL,
    valid_from VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    lookups INTEGER NOT NULL,
    PRIMARY KEY (day, level, code, valid_from, channel, outcome)
);
INSERT INTO positions VALUES ('decisions.v1', 0, 7), ('decisions.v1', 3, 2);
INSERT INTO outbox_marks VALUES (0, 'http-0', 'a1', 5), (0, 'http-0', 'b2', 2);
INSERT INTO lookups_by_minute VALUES
    ('2025-08-01T09:15', 'card_qr', 'eligible', 5), ('2025-08-02T10:00', 'card_qr', 'eligible', 4);
INSERT INTO lookups_by_facility VALUES
    ('2025-08-01', '01004', 'card_qr', 'eligible', 5), ('2025-08-02', '01004', 'card_qr', 'eligible', 4);
INSERT INTO lookups_by_unit VALUES ('2025-08-01', 'commune', '00004', '-', 'card_qr', 'eligible', 5);
"""
