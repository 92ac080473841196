# shellcheck shell=bash
# Run once by the image of Postgres, when docker-compose.yml starts on an empty volume: the role of Hookfast.
# It makes no roles itself, so those of readers and operators are made here; Hookfast grants them what they may do.
psql --set ON_ERROR_STOP=1 --set password="$HOOKFAST_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE hookfast LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
GRANT CREATE ON DATABASE hookfast TO hookfast;
CREATE ROLE hookfast_reader NOLOGIN;
CREATE ROLE hookfast_operator NOLOGIN;
SQL
