# shellcheck shell=bash
# Finds what the scripts need on this machine, installs it, or reports in one line what to install.

# Prints a message and ends.
give_up() {
    echo "hookfast: $*" >&2
    exit 1
}

# Cargo, and a C compiler, which links and compiles the C code of ring.
need_rust() {
    if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-${HOME:-}/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-${HOME:-}/.cargo}/bin:$PATH"
    fi
    command -v cargo >/dev/null || give_up "cargo is missing: install Rust from https://rustup.rs"
    command -v cc >/dev/null ||
        give_up "a C compiler is missing: install one (Debian, Ubuntu: apt-get install gcc libc6-dev; macOS: xcode-select --install)"
}

# The server binaries of Postgres 15 or later. Exports their folder as HOOKFAST_PG_BIN.
need_postgres() {
    if [ -n "${HOOKFAST_PG_BIN:-}" ]; then
        is_postgres "$HOOKFAST_PG_BIN" ||
            give_up "HOOKFAST_PG_BIN is $HOOKFAST_PG_BIN, which is not the bin directory of Postgres 15 or later: correct it or unset it"
    elif ! HOOKFAST_PG_BIN=$(find_postgres); then
        install_postgres
        HOOKFAST_PG_BIN=$(find_postgres) || give_up "Postgres was installed but cannot be found: set HOOKFAST_PG_BIN to its bin directory"
    fi
    export HOOKFAST_PG_BIN
}

# Whether a folder holds the server binaries of Postgres 15 or later.
is_postgres() {
    local major
    [ -x "$1/initdb" ] && [ -x "$1/postgres" ] || return 1
    major=$("$1/postgres" --version 2>/dev/null | sed -n 's/.*(PostgreSQL) \([0-9][0-9]*\).*/\1/p')
    [ "${major:-0}" -ge 15 ]
}

# Prints the folder of the first Postgres that is new enough. src/dev/postgres/binaries.rs looks in the same places.
find_postgres() {
    local dir
    while IFS= read -r dir; do
        if is_postgres "$dir"; then
            printf '%s\n' "$dir"
            return 0
        fi
    done < <(
        pg_config --bindir 2>/dev/null || true
        printf '%s\n' "$PATH" | tr ':' '\n'
        printf '%s\n' /usr/lib/postgresql/*/bin | sort -Vr
        printf '%s\n' /usr/pgsql-*/bin | sort -Vr
        printf '%s\n' /usr/libexec/postgresql* | sort -Vr
        printf '%s\n' {/opt/homebrew,/usr/local,/home/linuxbrew/.linuxbrew}/opt/postgresql@*/bin | sort -Vr
        printf '%s\n' /Applications/Postgres.app/Contents/Versions/*/bin | sort -Vr
        printf '%s\n' /usr/local/pgsql/bin
    )
    return 1
}

# Installs Debian's packages. On other systems, and without the right to install, it reports what to install.
install_postgres() {
    local as_root=() candidate
    local what="Postgres 15 or later is missing: install it (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql@17), or set HOOKFAST_PG_BIN to its bin directory"
    command -v apt-get >/dev/null || give_up "$what"
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null; then give_up "$what"; fi
        as_root=(sudo -n)
    fi
    echo "hookfast: installing Postgres from this system's packages" >&2
    "${as_root[@]}" apt-get update -qq >&2 || echo "hookfast: apt-get update failed; trying with the existing package lists" >&2
    candidate=$(apt-cache policy postgresql | sed -n 's/^ *Candidate: \([0-9][0-9]*\).*/\1/p')
    [ "${candidate:-0}" -ge 15 ] ||
        give_up "this system's packages have no Postgres 15 or later: see https://www.postgresql.org/download/, then run this again"
    apt_install postgresql-common
    # The server's package would create and start a Postgres of its own. Only the private one of the scripts shall run.
    local setting=/etc/postgresql-common/createcluster.conf
    [ -e "$setting.before-hookfast" ] || "${as_root[@]}" cp -p "$setting" "$setting.before-hookfast"
    echo 'create_main_cluster = false' | "${as_root[@]}" tee -a "$setting" >/dev/null
    local installed=0
    (apt_install postgresql) || installed=$?
    "${as_root[@]}" mv "$setting.before-hookfast" "$setting"
    [ "$installed" -eq 0 ] || exit "$installed"
}

# Called by install_postgres, whose variable as_root it uses.
apt_install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >&2 ||
        give_up "apt-get could not install $1: see above, install it by hand, then run this again"
}
