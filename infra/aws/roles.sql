-- Purpose: the two roles of PostgreSQL that programs use, and a database for each; run once, as the master.
-- Given by psql: -v writer_password=… -v reader_password=…, from the secrets of the connections.
-- Idempotent: what is there is left, and gets the password of its secret again.
\set ON_ERROR_STOP on
SELECT 'CREATE ROLE pinterest_writer LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pinterest_writer')
\gexec
SELECT 'CREATE ROLE pinterest_reader LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pinterest_reader')
\gexec
ALTER ROLE pinterest_writer PASSWORD :'writer_password';
ALTER ROLE pinterest_reader PASSWORD :'reader_password';
GRANT pinterest_writer TO CURRENT_USER;
SELECT 'CREATE DATABASE pinterest_warehouse OWNER pinterest_writer'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'pinterest_warehouse')
\gexec
SELECT 'CREATE DATABASE pinterest_source'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'pinterest_source')
\gexec
GRANT pg_read_all_data TO pinterest_reader;
