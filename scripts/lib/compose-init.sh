# shellcheck shell=bash
# The image of Postgres runs this once, when docker-compose.yml starts with an empty volume. It creates the role of
# Hookfast. That role may not create roles, so those of readers and operators are created here. Hookfast grants them
# their rights.
psql --set ON_ERROR_STOP=1 --set password="$HOOKFAST_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE hookfast LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
GRANT CREATE ON DATABASE hookfast TO hookfast;
CREATE ROLE hookfast_reader NOLOGIN;
CREATE ROLE hookfast_support NOLOGIN;
CREATE ROLE hookfast_console NOLOGIN;
CREATE ROLE hookfast_operator NOLOGIN;
SQL
