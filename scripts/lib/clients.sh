# shellcheck shell=bash
# Installs what the tests of the examples in other languages need: Python and Node.js with their libraries, which go
# into target/, and PHP. If a language is missing and cannot be installed, its tests are skipped, and a line reports
# it. With HOOKFAST_TEST_CLIENTS=all, a missing Python or Node.js is an error. Uses give_up of setup.sh.

need_clients() {
    local have=()
    if python_client; then have+=(python); else left_out "Python 3 with venv (Debian, Ubuntu: apt-get install python3-venv)"; fi
    if node_client; then have+=(node); else left_out "Node.js with npm (Debian, Ubuntu: apt-get install nodejs npm)"; fi
    if php_client; then have+=(php); else echo "hookfast: the test of the PHP receiver is skipped; it needs PHP with pgsql (Debian, Ubuntu: apt-get install php-cli php-pgsql)" >&2; fi
    # The tests start the clients in this list.
    HOOKFAST_TEST_CLIENTS=$(
        IFS=,
        echo "${have[*]}"
    )
    export HOOKFAST_TEST_CLIENTS
}

left_out() {
    if [ "${HOOKFAST_TEST_CLIENTS:-}" = all ]; then give_up "the pulling clients cannot be tested: install $1, then run this again"; fi
    echo "hookfast: the tests of one pulling client are skipped; they need $1" >&2
}

python_client() {
    local folder=target/clients/python wanted=(examples/pull/python/requirements.txt examples/receivers/python/requirements.txt)
    if [ -x "$folder/bin/python" ] && cat "${wanted[@]}" | cmp -s - "$folder/installed.txt"; then return 0; fi
    if ! command -v python3 >/dev/null || ! python3 -c 'import ensurepip' 2>/dev/null; then try_install python3 python3-venv; fi
    command -v python3 >/dev/null || return 1
    rm -rf "$folder"
    python3 -m venv "$folder" >&2 && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${wanted[@]/#/--requirement=}" >&2 &&
        cat "${wanted[@]}" >"$folder/installed.txt"
}

node_client() { node_libraries node examples/pull/node && node_libraries node-receiver examples/receivers/node; }

node_libraries() {
    local folder=target/clients/$1 wanted=$2/package-lock.json
    if [ -d "$folder/node_modules" ] && cmp -s "$wanted" "$folder/installed.json"; then return 0; fi
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then try_install nodejs npm; fi
    command -v npm >/dev/null || return 1
    rm -rf "$folder" && mkdir -p "$folder" && cp "$2/package.json" "$wanted" "$folder/" &&
        npm ci --prefix "$folder" --no-audit --no-fund --silent >&2 && cp "$wanted" "$folder/installed.json"
}

php_client() {
    php -m 2>/dev/null | grep -qx pdo_pgsql || try_install php-cli php-pgsql
    php -m 2>/dev/null | grep -qx pdo_pgsql
}

# Installs Debian's packages, if this user may.
try_install() {
    local as_root=()
    command -v apt-get >/dev/null || return 0
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || return 0
        as_root=(sudo -n)
    fi
    echo "hookfast: installing $* from this system's packages" >&2
    "${as_root[@]}" apt-get update -qq >&2 || true
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 || true
}
