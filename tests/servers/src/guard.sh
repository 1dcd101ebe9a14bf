# Owns one server of a test: guard.sh DIRECTORY COMMAND...
#
# Standard input is a pipe whose other end only the test process holds. Each line on it is a verb, answered by
# one line. When the pipe closes (the test process ended, however), the server is ended and its directory removed.
directory=$1
shift
server=

# The kernel sends HUP to a group with a paused member when the group's parent has gone.
trap '' HUP

# Sends a signal to the server and to its children: PostgreSQL has a process for each connection.
signal() {
    kill -s "$1" "$server"
    for stat in /proc/[0-9]*/stat; do
        read -r line 2>/dev/null <"$stat" || continue
        # PID (NAME) STATE PARENT ..., where the name may hold anything.
        rest=${line##*) }
        rest=${rest#* }
        if [ "${rest%% *}" = "$server" ]; then kill -s "$1" "${line%% *}" 2>/dev/null; fi
    done
}

while read -r verb; do
    case $verb in
        start)  "$@" >>"$directory/log" 2>&1 </dev/null & server=$! ;;
        stop)   kill -s INT "$server"; wait "$server" ;;
        # As if it had crashed: nothing is written down, nobody is told.
        crash)  kill -s QUIT "$server"; wait "$server" ;;
        pause)  signal STOP ;;
        resume) signal CONT ;;
    esac
    echo "$verb"
done

# INT, because a shell's background children are born deaf to QUIT, and TERM would let PostgreSQL wait for its
# clients. Whoever is paused must wake to hear it.
if [ -n "$server" ]; then
    kill -s INT "$server"
    signal CONT
    wait "$server"
fi
rm -rf "$directory"
