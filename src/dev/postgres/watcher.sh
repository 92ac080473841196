# Stops Postgres when the process that owns it ends, in whatever way: then standard input ends.
# Input: a line with the postmaster's pid, and a second line if Postgres was stopped cleanly.
# Arguments: the data directory, and then the paths to remove once Postgres has ended.
data=$1
shift
trap '' HUP INT TERM
read -r pid || exit 0
case $pid in '' | *[!0-9]*) exit 0 ;; esac
read -r _ && exit 0

# The pid counts only while the data directory confirms it: it may belong to another process by now.
is_ours() {
    read -r first <"$data/postmaster.pid" && [ "$first" = "$pid" ]
} 2>/dev/null

# A fast shutdown for 5 s, then an immediate one. A starting postmaster has no pid file for a moment.
tenths=0
while kill -0 "$pid" 2>/dev/null && [ $tenths -lt 200 ]; do
    if is_ours; then
        if [ $tenths -lt 50 ]; then kill -INT "$pid"; else kill -QUIT "$pid"; fi 2>/dev/null
    elif [ $tenths -gt 20 ]; then
        break
    fi
    sleep 0.1
    tenths=$((tenths + 1))
done
if ! is_ours && [ $# -gt 0 ]; then rm -rf -- "$@"; fi
