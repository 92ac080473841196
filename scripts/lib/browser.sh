# shellcheck shell=bash
# Installs what the tests of the console in a browser need: Chromium, and the libraries of tests/browser into target/. Uses
# give_up of setup.sh, and try_install and node_libraries of clients.sh.

need_browser() {
    local package
    # Debian's packages. The first has the same engine without windows, which takes less processor time.
    for package in chromium-headless-shell chromium; do
        find_chromium >/dev/null || try_install "$package"
    done
    HOOKFAST_CHROMIUM=$(find_chromium) ||
        give_up "Chromium is missing: install it (Debian: apt-get install chromium; Fedora: dnf install chromium), or set HOOKFAST_CHROMIUM to its program"
    node_libraries browser tests/browser ||
        give_up "the tests in a browser need Node.js 20 or later with npm (Debian, Ubuntu: apt-get install nodejs npm)"
    [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || give_up "Node.js is too old: the tests in a browser need Node.js 20 or later"
    HOOKFAST_BROWSER_MODULES=$PWD/target/clients/browser
    export HOOKFAST_CHROMIUM HOOKFAST_BROWSER_MODULES
}

# Prints the program of Chromium.
find_chromium() {
    local program
    for program in "${HOOKFAST_CHROMIUM:-}" chromium-headless-shell chromium chromium-browser google-chrome; do
        if [ -n "$program" ] && command -v "$program"; then return 0; fi
    done
    return 1
}
