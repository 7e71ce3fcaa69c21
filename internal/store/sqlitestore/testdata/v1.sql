-- A database of schema 1, as `sqlite3 layerd.db .dump` shows it, with the
-- pragmas that a dump leaves out. Every later layerd must read these values.
-- Never edit: add v2.sql beside it when there is a schema 2.
PRAGMA journal_mode = WAL;
BEGIN TRANSACTION;
CREATE TABLE entry (
			key      TEXT NOT NULL PRIMARY KEY,
			data     BLOB NOT NULL,
			revision TEXT NOT NULL
		) STRICT;
INSERT INTO entry VALUES('history/prod/1',X'7b2276223a317d','R5ZJX3ZQF2PLSEBQ6DTSVTL2QX');
INSERT INTO entry VALUES('history/prod/2',X'00ff','6XKQ2VVTC7GZ2H4J5LQPWD3AUM');
INSERT INTO entry VALUES('layer/層%2F1',X'','OZWEM5DTAZ7JYQSFWEZTL3DQKX');
PRAGMA application_id = 1819898468;
PRAGMA user_version = 1;
COMMIT;
