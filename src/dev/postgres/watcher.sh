# Ends Postgres when the process that owns it is gone, however it went: then standard input comes to its end.
# Input: the postmaster's pid on a line; a second line where Postgres has already been stopped in good order.
# Arguments: the data directory, then what is to be removed once Postgres has ended.
data=$1
shift
trap '' HUP INT TERM
read -r pid || exit 0
case $pid in '' | *[!0-9]*) exit 0 ;; esac
read -r _ && exit 0

# The pid counts only while the data directory says so too: it may long belong to another process.
is_ours() {
    read -r first <"$data/postmaster.pid" && [ "$first" = "$pid" ]
} 2>/dev/null

# 5 s for a fast shutdown, then an immediate one. A postmaster that is just starting has no pid file for a moment.
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
